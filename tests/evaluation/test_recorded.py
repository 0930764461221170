"""Recorded answers: published outputs score as their authors scored them; broken files are told."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from groundrl.answers.notation import Notation
from groundrl.answers.options import distinct_options
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.aokvqa import AOKVQA
from groundrl.evaluation.benchmarks.base import Benchmark, Figures, summarize
from groundrl.evaluation.benchmarks.choice import DrivingVQA
from groundrl.evaluation.inference import prediction_line, score_attempt
from groundrl.evaluation.matching import match_recorded
from groundrl.evaluation.recorded import read_predictions

OUTPUTS = Path(__file__).parents[2].parent / "shared/data/outputs"
LISTED = Notation.of("inline_box", "pixel")
needs_outputs = pytest.mark.skipif(
    not OUTPUTS.is_dir(), reason="../shared/data/outputs, the published outputs, is not here"
)
RUNS = ("sft_1ep", "grpo_acc_bbox_format")


def scored(path: Path, benchmark: Benchmark) -> Figures:
    found, _ = match_recorded(path, read_predictions(path, LISTED.grammar), {"set": benchmark})
    return summarize(benchmark, [score_attempt(benchmark, one.attempt) for one in found["set"]])


def row(answer: str, truth: str = "B", **changes: Any) -> dict[str, Any]:
    return {
        "prompt": "Question: May I turn?\nOptions: (A) yes (B) no (C) left only.\n",
        "ground_truth_response": f"<think>A [0,0,10,10 sign].</think> <answer>{truth}</answer>",
        "generated_response": f"<think>A [0,0,10,5 sign].</think> <answer>{answer}</answer>",
    } | changes


def listed(folder: Path, rows: list[Any]) -> Path:
    path = folder / "outputs.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.mark.slow
@needs_outputs
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", ["drivingvqa", "aokvqa"])
def test_published_outputs_score_exactly_as_their_authors_say(run: str, name: str) -> None:
    folder = OUTPUTS / run / name
    benchmark = DrivingVQA() if name == "drivingvqa" else AOKVQA()
    figures = scored(folder / "generated_responses_full.json", benchmark)
    reported = json.loads((folder / "scores.json").read_text())
    names = {"exam_score": "exam_score", "precision": "precision", "recall": "recall"}
    for ours, theirs in (names | {"f1": "f1_score"}).items():
        assert 100 * figures[ours] == pytest.approx(reported[theirs], abs=1e-9)
        assert figures[f"{ours}_low"] < figures[ours] < figures[f"{ours}_high"]


@pytest.mark.slow
@needs_outputs
def test_single_answers_have_one_figure() -> None:
    figures = scored(OUTPUTS / RUNS[1] / "aokvqa/generated_responses_full.json", AOKVQA())
    assert figures["acc"] == pytest.approx(0.8829694323144105)
    assert figures["n"] == 1145


@pytest.mark.slow
@needs_outputs
def test_what_the_authors_did_not_report_shows_the_collapse_to_one_box() -> None:
    sft, grpo = (
        scored(OUTPUTS / run / "drivingvqa/generated_responses_full.json", DrivingVQA())
        for run in RUNS
    )
    assert (sft["n"], sft["multi_n"]) == (474, 43)
    assert sft["boxes_true"] == pytest.approx(1.418, abs=5e-4)
    assert (sft["boxes"], grpo["boxes"]) == pytest.approx((1.367, 1.027), abs=5e-4)
    assert sft["multi_acc"] == grpo["multi_acc"] == 0
    # Without recall the boxes look twice as good as they are.
    assert sft["iou_predicted"] - sft["iou"] < grpo["iou_predicted"] - grpo["iou"]
    assert sft["format"] == pytest.approx(0.994, abs=5e-4)
    assert "off_frame" not in sft  # the sizes of the images are not recorded


def test_a_plain_loop_counts_the_same(tmp_path: Path) -> None:
    said = ["B", "B, C", "A", "", "no", "(B)", "A, B, C", "see above"]
    truth = ["B", "B, C", "B", "A", "B", "A, B", "B", "C"]
    path = listed(tmp_path, [row(a, t) for a, t in zip(said, truth, strict=True)])
    picked = [{"B"}, {"B", "C"}, {"A"}, set(), {"B"}, {"B"}, {"A", "B", "C"}, set()]
    right = [set(t.split(", ")) for t in truth]
    hits = sum(len(p & r) for p, r in zip(picked, right, strict=True))
    precision, recall = hits / sum(map(len, picked)), hits / sum(map(len, right))
    figures = scored(path, DrivingVQA())
    assert figures["exam_score"] == 3 / 8
    assert figures["multi_acc"] == 1 / 2
    assert figures["unparsed"] == 2 / 8
    assert figures["precision"] == pytest.approx(precision)
    assert figures["recall"] == pytest.approx(recall)
    assert figures["f1"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert figures["iou"] == figures["iou_predicted"] == 0.5


def test_without_a_prompt_letters_are_enough(tmp_path: Path) -> None:
    rows = [row("C, B", "B, C"), row("D", "C")]
    for one in rows:
        del one["prompt"]
    assert scored(listed(tmp_path, rows), DrivingVQA())["exam_score"] == 0.5


def test_options_of_the_same_words_are_distinguished_by_their_letters() -> None:
    assert distinct_options(["yes", "no", "Yes.", ""]) == ("yes [A]", "no", "Yes. [C]", "[D]")


@pytest.mark.slow
def test_empty_and_huge_answers_are_wrong_and_nothing_else(tmp_path: Path) -> None:
    huge = "[1,1,2,2 sign]" * 999 + "x" * 1_000_000
    rows = [row("B"), row("B", generated_response=""), row("B", generated_response=huge)]
    figures = scored(listed(tmp_path, rows), DrivingVQA())
    assert figures["exam_score"] == pytest.approx(1 / 3)
    assert figures["format"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no answers"),
        ([{"generated_response": "x"}], "record 0: lacks the field 'ground_truth_response'"),
        (
            [row("B"), row("B", generated_response=None)],
            "record 1: generated_response: expected text, got None",
        ),
        (
            [row("B", generated_response="<think><obj>a</obj><bbox>[1, 2, 3, 4]</bbox></think>")],
            "type records.grammar=obj_bbox",
        ),
    ],
)
def test_a_broken_list_is_an_error_at_once(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_predictions(listed(tmp_path, rows), LISTED.grammar)


def lines(folder: Path, changes: list[dict[str, Any]], name: str = "set") -> Path:
    """Our own format: two answers, each with changes."""
    benchmark = DrivingVQA()
    source = listed(folder, [row("B"), row("A")])
    found, _ = match_recorded(source, read_predictions(source, LISTED.grammar), {name: benchmark})
    written = [
        prediction_line(score_attempt(benchmark, o.attempt), name, o.origin) for o in found[name]
    ]
    path = folder / "predictions.jsonl"
    changed = [json.dumps(json.loads(r) | c) for r, c in zip(written, changes, strict=True)]
    path.write_text("\n".join(changed) + "\n")
    return path


def test_our_own_file_scores_as_the_list_did(tmp_path: Path) -> None:
    path = lines(tmp_path, [{}, {}])
    ours, theirs = scored(path, DrivingVQA()), scored(tmp_path / "outputs.json", DrivingVQA())
    assert ours == theirs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([{}, {"id": "0"}], "2 answers to question '0' of 'set'"),
        ([{}, {"text": 7}], "predictions.jsonl:2: no answer record"),
        ([{}, {"boxes_true": [["sign", [9, 0, 1, 1]]]}], "box needs x1 <= x2"),
        ([{}, {"grammar": "yaml"}], "unknown grammar 'yaml'"),
        ([{}, {"frame": "inches"}], "frame=inches is unknown"),
        ([{}, {"frame": "model"}], "boxes in model need image_size and model_size"),
        ([{}, {"id": 7}], "jsonl:2: no answer record .id: expected text, got 7"),
        ([{"grammar": "bbox_2d"}] * 2, 'write "grammar": "inline_box" into its lines'),
        ([{}, {"grammar": "obj_bbox"}], "mix inline_box in pixel, obj_bbox in pixel"),
        (
            [{}, {"frame": "unit", "image_size": [9, 9]}],
            "mix inline_box in pixel, inline_box in unit",
        ),
        ([{"set": "other"}, {"set": "another"}], "has no answers to set; it has .* another, other"),
    ],
)
def test_a_broken_file_of_ours_is_an_error_at_once(
    tmp_path: Path, changes: list[dict[str, Any]], message: str
) -> None:
    path = lines(tmp_path, changes)
    with pytest.raises(UserError, match=message):
        scored(path, DrivingVQA())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"set": "po', "Unterminated string"),
        (b'{"set": "\xe9"}', "codec can't decode byte 0xe9"),
        (b"[1]", "expected an object, got"),
        (b'{"id": "1"}', "lacks the fields 'set', 'kind'"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: bytes, reason: str) -> None:
    path = lines(tmp_path, [{}, {}])
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(UserError, match=rf"predictions.jsonl:3: no answer record.*{reason}"):
        read_predictions(path, LISTED.grammar)


def drivingvqa(folder: Path, count: int, question: str = "May I turn?") -> DrivingVQA:
    """The published format with ``count`` questions."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(count):
        Image.new("RGB", (40, 30)).save(folder / f"images/{number}.png")
        rows.append(
            {
                "img_filename": f"{number}.png",
                "img_size": [40, 30],
                "has_multiple_questions": False,
                "questions": [question],
                "possible_answers": {"A": "yes", "B": "no", "C": "left only"},
                "true_answers": ["A"],
                "relevant_entities": [{"sign": [0, 0, 10, 5]}],
            }
        )
    (folder / "test.json").write_text(json.dumps(rows))
    return DrivingVQA(root=str(folder))


def test_the_truth_comes_from_the_benchmark_where_it_is_there(tmp_path: Path) -> None:
    path = lines(tmp_path, [{}, {}])
    figures = scored(path, drivingvqa(tmp_path, 2))
    assert figures["exam_score"] == 0.5  # the file itself says that B is right
    assert figures["iou"] == 1.0
    assert figures["off_frame"] == 0.0


def test_answers_that_do_not_fit_the_questions_are_refused(tmp_path: Path) -> None:
    path = lines(tmp_path, [{}, {}])
    with pytest.raises(UserError, match="lacks answers to 1 of 3 questions, for example 2"):
        scored(path, drivingvqa(tmp_path / "three", 3))
    with pytest.raises(
        UserError, match="answers 1 questions that the benchmark does not ask, for example 1"
    ):
        scored(path, drivingvqa(tmp_path / "one", 1))
    with pytest.raises(UserError, match="answers 2 questions of another wording"):
        scored(path, drivingvqa(tmp_path / "other", 2, "May I stop?"))


def test_a_list_answers_one_benchmark_only(tmp_path: Path) -> None:
    path = listed(tmp_path, [row("B")])
    with pytest.raises(UserError, match="choose one benchmark"):
        match_recorded(
            path, read_predictions(path, LISTED.grammar), {"a": DrivingVQA(), "b": DrivingVQA()}
        )
