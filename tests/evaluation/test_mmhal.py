"""MMHal-Bench: the published file, the published reading of a judge's words, and the figures."""

import json
import re
from pathlib import Path

import pytest
from chat_server import Body, Raw, chat_server, error, said
from replies import DATA, images, needs_data, replies

from groundrl.chat.openai_compatible import OpenAICompatibleModel
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import ScoredAttempt, summarize
from groundrl.evaluation.benchmarks.mmhal import TYPES, MMHal
from groundrl.evaluation.judging.chat_judge import ChatJudge
from groundrl.evaluation.judging.ratings import Rating, rate_answers, read_rating
from groundrl.evaluation.judging.verdict_cache import VerdictCache
from groundrl.json_rows import validate
from groundrl.records import Sample

SERVED = "http://127.0.0.1:9/v1"


def published(folder: Path, count: int = 16, absent: int = 0) -> MMHal:
    folder.mkdir(exist_ok=True)
    rows = [
        {
            "question_type": TYPES[index % 8],
            "question_topic": "outdoor",
            "image_id": f"id{index}",
            "image_src": f"https://photos.example/8/{index}_o.jpg",
            "image_content": ["Door", "Tree"],
            "question": f"What is {index}?",
            "gt_answer": f"It is {index}.",
            "model_answer": "",
        }
        for index in range(count)
    ]
    (folder / "response_template.json").write_text(json.dumps(rows))
    images(folder / "images", [f"{index}_o.jpg" for index in range(absent, count)])
    return MMHal(root=str(folder))


def the_number(body: Body) -> str:
    """A judge that rates answer n with n mod 7 and mentions another rating now and then."""
    (number,) = re.findall(r"Answered (\d+)", said(body))
    return f"Fine. Rating: {int(number) % 7}" + (" or rating: 6" if number == "15" else "")


def answers(benchmark: MMHal, samples: tuple[Sample, ...]) -> list[ScoredAttempt]:
    return replies(benchmark, samples, lambda s: f"Answered {s.id.partition('-')[0]}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Rating: 4", 4),
        ("... so RATING: 2, with hallucination", 2),
        ("rating: 5. Yes, rating: 5", 5),
        ("Rating: 3 or Rating: 4", 0),
        ("Rating: 10", 1),  # as published
        ("Rating: 7", 0),
        ("Rating 4", 0),
        ("", 0),
    ],
)
def test_a_rating_is_read_as_published(text: str, value: int) -> None:
    assert read_rating(text) == value


@pytest.mark.slow
def test_ratings_are_averaged_over_all_over_types_and_below_three(tmp_path: Path) -> None:
    benchmark = published(tmp_path)
    found = benchmark.questions()
    with chat_server(the_number) as served:
        rater = ChatJudge(chat=OpenAICompatibleModel("m", [served.url])).rater
        all_rated = rate_answers(
            {"mmhal": benchmark}, {"mmhal": answers(benchmark, found.samples)}, rater
        )
    values = [one.scores["rating"] for one in all_rated["mmhal"]]
    expected = [float(n % 7) for n in range(15)] + [0.0]
    assert values == expected
    figures = summarize(benchmark, all_rated["mmhal"])
    assert figures["rating"] == pytest.approx(sum(expected) / 16)
    assert figures["hallucination_rate"] == pytest.approx(sum(v < 3 for v in expected) / 16)
    assert figures["rating_low"] < figures["rating"] < figures["rating_high"]
    assert figures["adversarial/rating"] == (1 + 9 % 7) / 2
    assert "unjudged" not in figures
    names = {n.removesuffix("_low").removesuffix("_high") for n in figures}
    assert {n.rpartition("/")[2] for n in names if n.startswith((*TYPES, "rat", "hal"))} <= {
        *MMHal.figure_infos
    }
    prompt = said(served.bodies[0])
    for part in ("Door, Tree", "What is ", "It is ", "Answered "):
        assert part in prompt
    assert "{}" not in prompt
    assert "response_format" not in served.bodies[0]


def test_the_official_prompt_is_filled_in_its_order(tmp_path: Path) -> None:
    benchmark = published(tmp_path)
    file = tmp_path / "official.txt"
    file.write_text("Contents {}\nQuestion {}\nTruth {}\nSaid {}\n{rules}")
    with chat_server(the_number) as served:
        chat = OpenAICompatibleModel("m", [served.url])
        rater = ChatJudge(chat=chat, rating_prompt_file=str(file)).rater
        (one,) = answers(benchmark, benchmark.questions().samples[:1])
        rater([benchmark.to_rate(one.attempt)])
    expected = "Contents Door, Tree\nQuestion What is 0?\nTruth It is 0.\nSaid Answered 0\n{rules}"
    assert said(served.bodies[0]) == expected


@pytest.mark.slow
def test_ratings_are_kept_replayed_and_missing_ones_counted(tmp_path: Path) -> None:
    benchmark = published(tmp_path)
    found = {"mmhal": answers(benchmark, benchmark.questions().samples)}
    path = tmp_path / "judgements.jsonl"

    def reply(body: Body) -> str | Raw:
        return error(503, "ill") if "Answered 3" in said(body) else the_number(body)

    with chat_server(reply) as served:
        rater = ChatJudge(chat=OpenAICompatibleModel("m", [served.url], retries=0)).rater
        first = rate_answers(
            {"mmhal": benchmark}, found, VerdictCache(judge=rater, path=path, verdict=Rating)
        )
    figures = summarize(benchmark, first["mmhal"])
    assert figures["unjudged"] == 1
    offline = ChatJudge(chat=OpenAICompatibleModel("m", [SERVED], retries=0)).rater
    again = rate_answers(
        {"mmhal": benchmark}, found, VerdictCache(judge=offline, path=path, verdict=Rating)
    )
    assert [a.scores for a in again["mmhal"]] == [a.scores for a in first["mmhal"]]
    row = json.loads(path.read_text().splitlines()[0])
    assert validate(Rating, row) == Rating(value=row["value"], text=row["text"])
    with pytest.raises(ValueError, match="value: expected a number up to 6, got 9"):
        validate(Rating, {"value": 9, "text": ""})


def test_without_a_rater_the_error_names_what_to_type(tmp_path: Path) -> None:
    benchmark = published(tmp_path)
    found = {"mmhal": answers(benchmark, benchmark.questions().samples)}
    with pytest.raises(UserError, match=r"type judge=openai judge.chat.model="):
        rate_answers({"mmhal": benchmark}, found, None)


def test_a_missing_image_does_not_move_the_types(tmp_path: Path) -> None:
    found = published(tmp_path, absent=3).questions()
    assert len(found.missing) == 3
    assert [s.kind for s in found.samples[:2]] == ["counting", "relation"]
    (tmp_path / "response_template.json").write_text('[{"image_id": "x"}]')
    with pytest.raises(UserError, match="record 0: lacks the fields 'image_src', 'image_content'"):
        MMHal(root=str(tmp_path)).questions()
    with pytest.raises(UserError, match=r"data.root"):
        MMHal().questions()


@pytest.mark.slow
@needs_data
def test_the_published_types_are_those_of_the_place_in_the_file(tmp_path: Path) -> None:
    (real,) = (DATA / "mmhal").glob("*.json")
    rows = json.loads(real.read_text())
    (tmp_path / "response_template.json").write_text(json.dumps(rows))
    images(tmp_path / "images", [row["image_src"].rpartition("/")[2] for row in rows])
    found = MMHal(root=str(tmp_path)).questions()
    assert not found.missing
    assert [sample.kind for sample in found.samples] == [row["question_type"] for row in rows]
    assert found.samples[0].answers[1:] == ("Fire hydrant",)
