"""Too few answers, too many, the same ones twice, and questions whose images are gone."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from replies import LINE, images, reply, written

from groundrl.answers.record import read_record
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Benchmark, QuestionSet, summarize
from groundrl.evaluation.benchmarks.choice import DrivingVQA
from groundrl.evaluation.benchmarks.refcoco import RefCOCO
from groundrl.evaluation.benchmarks.yes_no import POPE
from groundrl.evaluation.inference import score_attempt
from groundrl.evaluation.matching import match_recorded
from groundrl.evaluation.recorded import RecordedAnswer, read_predictions
from groundrl.grammar import get_grammar

ROW = {"ground_truth_response": "B", "generated_response": "B"}


def matched(path: Path, benchmark: Benchmark) -> tuple[list[RecordedAnswer], QuestionSet]:
    recorded = read_predictions(path, get_grammar("inline_box"))
    answers, questions = match_recorded(path, recorded, {"pope": benchmark})
    return answers["pope"], questions["pope"]


def listed(folder: Path, rows: list[dict[str, Any]]) -> Path:
    written(folder / "outputs.json", rows)
    return folder / "outputs.json"


def ours(folder: Path, ids: list[int], **changes: Any) -> Path:
    """Our own file."""
    lines = [LINE | {"id": str(k), "question": f"Is there a thing {k}?"} | changes for k in ids]
    path = folder / "predictions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_published_questions_that_a_file_lacks_are_counted(tmp_path: Path) -> None:
    rows = [ROW | {"prompt": f"Question: {k}?\nOptions: (A) a (B) b.\n"} for k in range(100)]
    answers, questions = matched(listed(tmp_path, rows), DrivingVQA())
    assert (len(answers), questions.unanswered) == (100, 374)
    _, questions = matched(ours(tmp_path, [1, 2]), POPE(variant="random"))
    assert questions.unanswered == 2998


@pytest.mark.slow
def test_more_answers_than_were_published_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds 475 answers, and 474 questions are published"):
        matched(listed(tmp_path, [ROW] * 475), DrivingVQA())


def test_records_that_are_in_a_list_twice_are_refused(tmp_path: Path) -> None:
    rows = [ROW | {"prompt": f"Question: {k % 3}?\nOptions: (A) a (B) b.\n"} for k in range(5)]
    with pytest.raises(UserError, match="2 records are in it twice, for example 3 and 0, 4 and 1"):
        matched(listed(tmp_path, rows), DrivingVQA())
    # The same words about another image are another question.
    asked = {"prompt": "Is there a dog?", "ground_truth_response": "yes"}
    answers, _ = matched(listed(tmp_path, [ROW | asked] * 5), POPE(variant="random"))
    assert len(answers) == 5


def pope(folder: Path, count: int, there: int) -> POPE:
    """The published format, with the images of the first questions."""
    images(folder / "val2014", [f"{k}.jpg" for k in range(there)])
    rows = [
        {"question_id": k, "image": f"{k}.jpg", "text": f"Is there a thing {k}?", "label": "no"}
        for k in range(count)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "coco_pope_random.json").write_text(lines)
    return POPE(variant="random", root=str(folder))


@pytest.mark.parametrize("there", [0, 2, 4])
def test_answers_score_again_without_their_images(tmp_path: Path, there: int) -> None:
    benchmark = pope(tmp_path, 4, there)
    answers, questions = matched(ours(tmp_path, [0, 1, 2, 3]), benchmark)
    assert [one.attempt.sample.answers for one in answers] == [("no",)] * 4
    assert questions.missing == ()
    prompts = [ROW | {"prompt": f"Is there a thing {k}?"} for k in range(4)]
    assert len(matched(listed(tmp_path, prompts), benchmark)[0]) == 4
    (tmp_path / "val2014").rename(tmp_path / "elsewhere")
    assert len(matched(ours(tmp_path, [0, 1, 2, 3]), benchmark)[0]) == 4


def test_a_run_that_had_some_images_only_scores_again(tmp_path: Path) -> None:
    benchmark = pope(tmp_path, 4, 2)
    prompts = [ROW | {"prompt": f"Is there a thing {k}?"} for k in range(2)]
    for path in (ours(tmp_path, [0, 1]), listed(tmp_path, prompts)):
        answers, questions = matched(path, benchmark)
        assert [one.attempt.sample.id for one in answers] == ["0", "1"]
        assert questions.missing == ("2: no image 2.jpg", "3: no image 3.jpg")
    with pytest.raises(UserError, match="lacks answers to 1 of 2 questions, for example 1"):
        matched(ours(tmp_path, [0]), benchmark)


def test_boxes_keep_their_frame_where_the_image_is_gone(tmp_path: Path) -> None:
    text = "<think>[500,500,1000,1000 dog]</think><answer>no</answer>"
    path = ours(tmp_path, [0], text=text, frame="permille")
    (one,), _ = matched(path, pope(tmp_path, 1, 0))
    assert one.attempt.predicted_boxes[0].corners == (4, 3, 8, 6)
    assert (one.group.sample.image.width, one.group.sample.image.height) == (8, 6)


@pytest.mark.slow
@pytest.mark.parametrize("benchmark", [DrivingVQA(), RefCOCO(dataset="refcoco", split="val")])
def test_thousands_of_boxes_are_scored_in_linear_time(benchmark: Benchmark) -> None:
    box = "".join(f"[{k % 90},1,{k % 90 + 9},2 c]" for k in range(10_000))
    text = f"{box}<think>{box}</think><answer>a</answer>"
    sample = read_record(LINE | {"options": ["a", "b"], "answers": ["a"]}).sample
    start = time.process_time()
    summarize(benchmark, [score_attempt(benchmark, reply(sample, text))])
    # A quadratic search needs minutes; the bound leaves room for a busy machine.
    assert time.process_time() - start < 5
