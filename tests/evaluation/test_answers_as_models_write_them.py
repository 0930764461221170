"""Lists of answers worded and tagged in the ways of real models, through the benchmarks."""

import json
from pathlib import Path

import pytest

from groundrl.evaluation.benchmarks.aokvqa import AOKVQA
from groundrl.evaluation.benchmarks.base import Benchmark, Figures, summarize
from groundrl.evaluation.benchmarks.refcoco import RefCOCO
from groundrl.evaluation.benchmarks.statements import VSR
from groundrl.evaluation.benchmarks.yes_no import POPE
from groundrl.evaluation.inference import score_attempt
from groundrl.evaluation.matching import match_recorded
from groundrl.evaluation.recorded import read_predictions, without_end_of_turn
from groundrl.grammar import get_grammar

OPTIONS = "Question: Which colour has the bus?\nOptions: (A) black (B) yellow (C) pink (D) grey"


def score(folder: Path, benchmark: Benchmark, answers: list[str], truth: str) -> Figures:
    path = folder / "outputs.json"
    rows = [
        {
            # Equal records are refused.
            "prompt": OPTIONS.replace("bus", f"bus {number}"),
            "ground_truth_response": truth,
            "generated_response": one,
        }
        for number, one in enumerate(answers)
    ]
    path.write_text(json.dumps(rows))
    listed = read_predictions(path, get_grammar("bbox_2d"))
    found = match_recorded(path, listed, {"set": benchmark})[0]["set"]
    return summarize(benchmark, [score_attempt(benchmark, one.attempt) for one in found])


def test_words_of_reasoning_are_no_answer_to_a_question_for_yes_or_no(tmp_path: Path) -> None:
    negative = [
        "There are two chairs, no bench and not one cat.</think>\n\nNo",
        "<think>A bench, not a chair, and no cat either.</think>\nNo.",
        "An empty street</think>\n\nNo, I see no cat.",
        "<think>Is it a cat? No",
    ]
    figures = score(tmp_path, POPE(variant="random"), negative[:3], "no")
    assert (figures["acc"], figures["strict_acc"], figures["yes_ratio"]) == (1, 1, 0)
    positive = ["no bench, but a cat</think>\n\nYes", "<think>no bench here</think>Yes", "Yes<eos>"]
    figures = score(tmp_path, POPE(variant="random"), positive, "yes")
    assert (figures["acc"], figures["strict_acc"], figures["yes_ratio"]) == (1, 1, 1)
    cut_off = score(tmp_path, POPE(variant="random"), negative[3:], "no")
    assert (cut_off["strict_acc"], cut_off["unparsed"]) == (0, 1)


def test_a_choice_counts_however_it_is_worded_and_strictly_as_published(tmp_path: Path) -> None:
    worded = [
        "Answer: B",
        "**B**",
        "B - yellow",
        "B. yellow\n\nThe bus is plainly yellow.",
        "<answer>\\boxed{B}</answer>",
        "<think>Perhaps <answer>A</answer>? No.</think><answer>B</answer>",
        "well, it is yellow</think>\n\nB",
        "The answer is (B).",
    ]
    plain = ["(B) yellow.", "<think>x</think><answer>B</answer>", "b.<|im_end|>"]
    figures = score(tmp_path, AOKVQA(), [*worded, *plain], "<answer>B</answer>")
    assert (figures["exam_score"], figures["f1"], figures["unparsed"]) == (1, 1, 0)
    assert figures["strict_exam_score"] == pytest.approx(3 / 11)
    assert figures["strict_f1"] < figures["f1"]


def test_a_hedged_or_repeated_choice_stays_wrong(tmp_path: Path) -> None:
    hedged = ["A or B", "B or something else", "A. black\nB. yellow\nC. pink\nD. grey",
              "<answer>B</answer><answer>A</answer>", "The answer is B. The answer is A.",
              "not B"]  # fmt: skip
    figures = score(tmp_path, AOKVQA(), hedged, "B")
    assert figures["exam_score"] == 0


def test_a_statement_is_true_in_many_words(tmp_path: Path) -> None:
    worded = ["True, the bus is near.", "The statement is true.", "Yes, it is.",
              "The answer is: True", "\\boxed{True}", "<think>x</think>\nTrue."]  # fmt: skip
    plain = ["True.", "**True**", "true", "<answer>True</answer>"]
    figures = score(tmp_path, VSR(), [*worded, *plain], "true")
    assert (figures["acc"], figures["true_ratio"], figures["unparsed"]) == (1, 1, 0)
    assert figures["strict_acc"] == pytest.approx(0.4)


def test_one_box_is_found_in_many_writings(tmp_path: Path) -> None:
    item = '{"bbox_2d": [30, 10, 90, 70], "label": "bus"}'
    written = [
        f"```json\n[\n\t{item}\n]\n```",
        f"[{item[:-1]},}}]",
        f"[{item}]".replace('"', "'"),
        item.removesuffix("}") + ', "sub_label": null}',
        '[{"bbox_2d": [30, 10, 90, 70]}]',
        "[30, 10, 90, 70]",
        f"<think>so</think><answer>[{item}]</answer>",
        f"[{item}, ",
    ]
    refcoco = RefCOCO(dataset="refcoco", split="val")
    figures = score(tmp_path, refcoco, written, f"<answer>[{item}]</answer>")
    assert (figures["acc_50"], figures["no_box"], figures["parse_failure"]) == (1, 0, 0)
    broken = ['[{"bbox_2d": [30, 10, 90', '[{"bbox_2d": [90, 10, 30, 70], "label": "bus"}]', item]
    figures = score(tmp_path, refcoco, broken, f"<answer>[{item}]</answer>")
    assert (figures["acc_50"], figures["parse_failure"]) == (
        pytest.approx(1 / 3), pytest.approx(2 / 3),
    )  # fmt: skip


def test_end_of_turn_tokens_at_the_end_of_a_recorded_text_are_ignored() -> None:
    assert without_end_of_turn("B</s> <|im_end|>\n") == "B"
    assert without_end_of_turn("<s>B</s> and C") == "<s>B</s> and C"
    assert without_end_of_turn("B \n") == "B \n"
