"""Judges of alignment: rules, a served model, the memory of both, and people."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from chat_server import Body, Raw, chat_server, error, said
from replies import reply

from groundrl.answers.alignment import Case, Judgement, Misalignment, make_case
from groundrl.chat.openai_compatible import OpenAICompatibleModel
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import ScoredAttempt
from groundrl.evaluation.benchmarks.world import WorldVQA
from groundrl.evaluation.judging.alignment import ALIGNMENT_FIGURES, alignment
from groundrl.evaluation.judging.chat_judge import ChatJudge
from groundrl.evaluation.judging.verdict_cache import VerdictCache
from groundrl.metrics import EVALUATION


def one(reasoning: str, answer: str, options: tuple[str, ...] = ("yes", "no")) -> Case:
    return Case(question="Is it so?", options=options, reasoning=reasoning, answer=answer)


@dataclass
class Counting:
    """Calls nothing that is short aligned, and cannot be reached at all for "out"."""

    name: str = "counting"
    asked: list[str] = field(default_factory=list)

    def __call__(self, cases: Sequence[Case]) -> list[Judgement | None]:
        self.asked += [found.reasoning for found in cases]
        said = [
            Judgement(aligned=len(c.reasoning) > 4, flaw=Misalignment.OTHER, reason="long")
            for c in cases
        ]
        return [None if c.reasoning == "out" else s for c, s in zip(cases, said, strict=True)]


def test_nothing_is_judged_twice_and_a_run_can_be_replayed(tmp_path: Path) -> None:
    path = tmp_path / "judgements.jsonl"
    cases = [one("because", "yes"), one("no", "no"), one("because", "yes"), one("out", "no")]
    first = Counting()
    found = VerdictCache(judge=first, path=path, verdict=Judgement)(cases)
    assert first.asked == ["because", "no", "out"]
    assert [f and f.aligned for f in found] == [True, False, True, None]
    path.write_text(path.read_text() + '{"judge": "cut o')
    second = Counting()
    assert VerdictCache(judge=second, path=path, verdict=Judgement)(cases) == found
    assert second.asked == ["out"]
    other = Counting(name="another model")
    VerdictCache(judge=other, path=path.with_name("other.jsonl"), verdict=Judgement)(cases[:1])
    assert other.asked == ["because"]


def test_judging_reports_its_progress_and_a_replay_reports_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundrl.evaluation.judging.verdict_cache.CASES_AT_ONCE", 2)
    kept = VerdictCache(judge=Counting(), path=tmp_path / "judgements.jsonl", verdict=Judgement)
    kept([one("because", "yes"), one("no", "no"), one("certainly", "yes")])
    told = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in told] == ["judge 0/3", "judge 3/3"]
    kept([one("because", "yes")])
    assert capsys.readouterr().err == ""


def test_a_memory_that_was_cut_off_is_mended_before_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "judgements.jsonl"
    cases = [one("because", "yes"), one("no", "no"), one("certainly", "yes")]
    VerdictCache(judge=Counting(), path=path, verdict=Judgement)(cases[:2])
    path.write_bytes(path.read_bytes()[:-20])
    second = Counting()
    found = VerdictCache(judge=second, path=path, verdict=Judgement)(cases)
    assert second.asked == ["no", "certainly"]
    third = Counting()
    assert VerdictCache(judge=third, path=path, verdict=Judgement)(cases) == found
    assert third.asked == []
    path.chmod(0o444)
    assert VerdictCache(judge=third, path=path, verdict=Judgement)(cases) == found


def test_a_file_of_something_else_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text('{"my": "notes"}')
    with pytest.raises(UserError, match=r"notes.json:1: no judgement"):
        VerdictCache(judge=Counting(), path=path, verdict=Judgement)([one("because", "yes")])
    assert path.read_text() == '{"my": "notes"}'


def test_a_damaged_memory_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "judgements.jsonl"
    path.write_text('{"judge": "rules"}\n')
    with pytest.raises(UserError, match=r"judgements.jsonl:1: no judgement"):
        VerdictCache(judge=Counting("rules"), path=path, verdict=Judgement)([one("x", "y")])


def answers() -> list[ScoredAttempt]:
    samples = WorldVQA(size=4).questions().samples
    texts = [
        f"<think>{word}</think><answer>{s.answers[0]}</answer>"
        for s, word in zip(samples, ("because", "no", "out", "certainly"), strict=True)
    ]
    return [
        ScoredAttempt(attempt=reply(s, text), scores={})
        for s, text in zip(samples, texts, strict=True)
    ]


def test_the_share_of_aligned_answers_leaves_out_unjudged_answers() -> None:
    figures, verdicts = alignment(Counting(), answers())
    assert figures["alignment"] == pytest.approx(2 / 3)
    assert figures["alignment_judged"] == 3 / 4
    assert len(verdicts) == 3
    plain = {n.removesuffix("_low").removesuffix("_high") for n in figures}
    assert plain == ALIGNMENT_FIGURES.keys()
    assert plain <= EVALUATION.keys()


@pytest.mark.parametrize("text", ["<think></think><answer>red</answer>", "red", "<think>So it is."])
def test_no_judge_is_asked_about_an_answer_alone_or_reasoning_alone(text: str) -> None:
    judge, (first, *others) = Counting(), answers()
    lone = replace(first, attempt=reply(first.attempt.sample, text))
    figures, verdicts = alignment(judge, [lone, *others])
    assert len(judge.asked) == 3
    assert lone.attempt.sample.id not in verdicts
    assert figures["alignment_judged"] == 2 / 4
    assert alignment(judge, [lone])[0].keys() == {
        *("alignment_judged", "alignment_judged_low", "alignment_judged_high")
    }
    assert alignment(judge, []) == ({}, {})


def test_boxes_are_read_to_the_judge_as_their_labels() -> None:
    (sample,) = WorldVQA(size=1).questions().samples
    text = "<think>The [1,2,3,4 red cup] is here.</think><answer>A</answer>"
    found = make_case(reply(sample, text), "A")
    assert (found.reasoning, found.answer) == ("The red cup is here.", "A")


def verdict(body: Body) -> str:
    """Aligned where something is said to be because of something."""
    prompt = said(body)
    if "mumble" in prompt:
        return "hm"
    return json.dumps({"aligned": "because" in prompt, "flaw": "other", "reason": "so"})


def test_a_language_model_is_asked_for_json() -> None:
    with chat_server(verdict) as served:
        judge = ChatJudge(chat=OpenAICompatibleModel("m", [served.url], at_once=1))
        cases = [one("{answer} because", "yes"), one("dunno", "no"), one("mumble", "no")]
        found = judge(cases)
    assert [f is not None and f.aligned for f in found] == [True, False, False]
    assert found[2] is not None
    assert found[2].reason == "unreadable: 'hm'"
    body = served.bodies[0]
    assert body["response_format"]["json_schema"]["strict"] is True
    assert "{question}" not in said(body)
    assert "Reasoning: {answer} because\n" in said(body)  # a text may hold places of its own


def test_a_judge_that_is_not_reached_leaves_the_case_unjudged(tmp_path: Path) -> None:
    def reply(body: Body) -> str | Raw:
        return error(503, "ill") if "nowhere" in said(body) else verdict(body)

    with chat_server(reply) as served:
        judge = ChatJudge(chat=OpenAICompatibleModel("m", [served.url], retries=1))
        path = tmp_path / "judgements.jsonl"
        cases = [one("because", "yes"), one("nowhere", "no")]
        found = VerdictCache(judge=judge, path=path, verdict=Judgement)(cases)
    assert [f and f.aligned for f in found] == [True, None]
    # What it said can be replayed where no server is.
    assert VerdictCache(judge=judge, path=path, verdict=Judgement)(cases[:1]) == found[:1]


def test_another_prompt_is_another_judge(tmp_path: Path) -> None:
    chat = OpenAICompatibleModel("m", ["http://127.0.0.1:9/v1"])
    path = tmp_path / "prompt"
    plain = ChatJudge(chat=chat)
    path.write_text("{question} {options} {reasoning} {answer}")
    own = ChatJudge(chat=chat, prompt_file=str(path))
    assert own.name != plain.name
    assert own.rater.name == plain.rater.name
    path.write_text("Contents {} Question {} Truth {} Said {}")
    rating = ChatJudge(chat=chat, rating_prompt_file=str(path))
    assert rating.name == plain.name
    assert rating.rater.name != plain.rater.name


@pytest.mark.parametrize(
    ("option", "content", "told"),
    [
        ("prompt_file", None, "no such file"),
        (
            "prompt_file",
            b"Is {answer} it?",
            "write {question}, {options}, {reasoning} and {answer}",
        ),
        ("prompt_file", b"{} {} {} {}", "write {question}"),
        ("rating_prompt_file", None, "no such file"),
        ("rating_prompt_file", b"{} {} {}", "it has 3 of these"),
        ("rating_prompt_file", b"{} {} {} {} \xe9", "no text in UTF-8"),
    ],
)
def test_a_file_that_is_no_prompt_is_an_error_before_anything_is_asked(
    tmp_path: Path, option: str, content: bytes | None, told: str
) -> None:
    path = tmp_path / "prompt"
    if content is not None:
        path.write_bytes(content)
    files = {option: str(path)}
    with pytest.raises(UserError, match=rf"judge.{option}=.*{told}"):
        ChatJudge(chat=OpenAICompatibleModel("m", ["http://127.0.0.1:9/v1"]), **files)
