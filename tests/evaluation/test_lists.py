"""JSON lists of published outputs, for every benchmark whose truth a text can tell."""

import json
from pathlib import Path
from typing import Any

import pytest

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.aokvqa import AOKVQA, AOKVQADirect
from groundrl.evaluation.benchmarks.base import Benchmark, Figures, summarize
from groundrl.evaluation.benchmarks.chair import CHAIR
from groundrl.evaluation.benchmarks.choice import DrivingVQA
from groundrl.evaluation.benchmarks.mme import MME
from groundrl.evaluation.benchmarks.mmhal import MMHal
from groundrl.evaluation.benchmarks.refcoco import RefCOCO
from groundrl.evaluation.benchmarks.statements import VSR
from groundrl.evaluation.benchmarks.yes_no import POPE
from groundrl.evaluation.inference import prediction_line, score_attempt
from groundrl.evaluation.matching import match_recorded
from groundrl.evaluation.recorded import RecordedAnswer, read_predictions
from groundrl.grammar import get_grammar

REFCOCO = RefCOCO(dataset="refcoco", split="val")


def read(folder: Path, benchmark: Benchmark, rows: list[Any]) -> list[RecordedAnswer]:
    path = folder / "outputs.json"
    path.write_text(json.dumps(rows))
    listed = read_predictions(path, get_grammar("inline_box"))
    return match_recorded(path, listed, {"set": benchmark})[0]["set"]


def score(folder: Path, benchmark: Benchmark, *pairs: tuple[str, str]) -> Figures:
    """Of (truth, answer)."""
    rows = [
        {"prompt": f"Question {k}?", "ground_truth_response": truth, "generated_response": answer}
        for k, (truth, answer) in enumerate(pairs)
    ]
    found = read(folder, benchmark, rows)
    return summarize(benchmark, [score_attempt(benchmark, one.attempt) for one in found])


def test_the_truth_is_read_in_the_form_that_is_asked_for(tmp_path: Path) -> None:
    pope = score(tmp_path, POPE(variant="random"), ("yes", "Yes."), ("<answer>No</answer>", "Yes"))
    assert (pope["acc"], pope["recall"], pope["yes_ratio"]) == (0.5, 1, 1)
    vsr = score(tmp_path, VSR(), ("<answer>True</answer>", "true"), ("False", "true"), ("true", ""))
    assert (vsr["acc"], vsr["unparsed"]) == (1 / 3, 1 / 3)
    box = "<think>[0,0,10,10 x]</think><answer>x</answer>"
    boxes = score(tmp_path, REFCOCO, (box, "[0,0,10,10 x]"), ("[0,0,10,10 x]", "[0,0,10,4 x]"))
    assert (boxes["acc_50"], boxes["iou"]) == (0.5, pytest.approx(0.7))
    letters = score(tmp_path, AOKVQA(), ("B", "B"), ("<answer>C</answer>", "A"))
    assert (letters["exam_score"], letters["f1"]) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("benchmark", "message"),
    [
        (POPE(variant="random"), "the right answer is not yes or no in 2 of 2 records"),
        (VSR(), "is not true or false in 2 of 2 records"),
        (REFCOCO, "is not one box in 2 of 2 records, for example in record 0: '<answer>B"),
        (MME(), "more belongs to its truth than a list can tell: type data.root=<folder>"),
        (CHAIR(), "more belongs to its truth than a list can tell"),
        (MMHal(), "more belongs to its truth than a list can tell"),
        (AOKVQADirect(), "more belongs to its truth than a list can tell"),
    ],
)
def test_answers_to_another_benchmark_are_refused_in_one_message(
    tmp_path: Path, benchmark: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        score(tmp_path, benchmark, ("<answer>B</answer>", "B"), ("<answer>C</answer>", "B"))


def test_options_that_are_not_among_those_shown_are_no_truth(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": "Question: May I?\nOptions: (A) yes (B) no.\n",
            "ground_truth_response": "<answer>Z</answer>",
            "generated_response": "A",
        }
    ]
    with pytest.raises(UserError, match="is not an option in 1 of 1 records"):
        read(tmp_path, DrivingVQA(), rows)


@pytest.mark.parametrize("prompt", [5, ["a"]])
def test_a_prompt_is_a_text_or_is_left_out(tmp_path: Path, prompt: Any) -> None:
    row = {"ground_truth_response": "B", "generated_response": "B"}
    with pytest.raises(UserError, match="record 0: prompt: expected text"):
        read(tmp_path, DrivingVQA(), [row | {"prompt": prompt}])
    assert len(read(tmp_path, DrivingVQA(), [row, row | {"prompt": None}])) == 2


def test_the_prompt_of_a_list_is_kept(tmp_path: Path) -> None:
    row = {"prompt": "Why\ud83d?", "ground_truth_response": "B", "generated_response": "B\ud83d"}
    benchmark = DrivingVQA()
    (one,) = read(tmp_path, benchmark, [row])
    line = json.loads(prediction_line(score_attempt(benchmark, one.attempt), "set", one.origin))
    assert (line["prompt"], line["text"]) == ("Why\ufffd?", "B\ufffd")
    assert (line["prompting"], line["seed"]) == (None, None)
