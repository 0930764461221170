"""Texts that real models wrote, and the scores that their authors reported for them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from groundrl.answers.options import read_answer
from groundrl.boxes import Frame
from groundrl.grammar import GRAMMARS
from groundrl.prompts import LETTERS
from groundrl.records import Grounding
from groundrl.rewards.terms.iou_mean_over_predictions import mean_iou_over_predictions

OUTPUTS = Path(__file__).parents[2].parent / "shared/data/outputs"
RUNS = [
    "sft_1ep/drivingvqa",
    "sft_1ep/aokvqa",
    "grpo_acc_bbox_format/drivingvqa",
    "grpo_acc_bbox_format/aokvqa",
]

pytestmark = pytest.mark.skipif(
    not OUTPUTS.is_dir(), reason="../shared/data/outputs, the published outputs, is not here"
)


def records(run: str) -> list[dict[str, str]]:
    return json.loads((OUTPUTS / run / "generated_responses_full.json").read_text())


def options_of(prompt: str) -> list[str]:
    listed = prompt.rpartition("Options: ")[2].strip().removesuffix(".")
    return [option.strip() for option in re.split(r"\(([A-Z])\) ", listed)[2::2]]


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_real_boxes_are_read(run: str) -> None:
    texts = [record["generated_response"] for record in records(run)]
    written = sum(len(re.findall(r"\[\d+,\d+,\d+,\d+ [^\]]+\]", text)) for text in texts)
    parsed = [GRAMMARS["inline_box"].parse(text, Frame.PIXEL) for text in texts]
    assert sum(len(one.groundings) for one in parsed) > 0.99 * written
    assert sum(one.well_formed for one in parsed) > 0.99 * len(parsed)


def answer_of(text: str) -> str | None:
    return GRAMMARS["inline_box"].parse(text, Frame.PIXEL).answer


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_answers_are_scored_as_their_authors_did(run: str) -> None:
    reported: dict[str, Any] = json.loads((OUTPUTS / run / "scores.json").read_text())
    exact = hits = said = true = 0
    rows = records(run)
    for row in rows:
        letters = LETTERS[: len(options_of(row["prompt"]))]
        chosen = read_answer(answer_of(row["generated_response"]), letters) or frozenset()
        right = read_answer(answer_of(row["ground_truth_response"]), letters)
        assert right is not None
        exact += chosen == right
        hits, said, true = hits + len(chosen & right), said + len(chosen), true + len(right)
    assert 100 * exact / len(rows) == pytest.approx(reported["exam_score"], abs=1e-9)
    assert 100 * hits / said == pytest.approx(reported["precision"], abs=1e-9)
    assert 100 * hits / true == pytest.approx(reported["recall"], abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_letters_name_the_words_of_real_options(run: str) -> None:
    for row in records(run):
        options = options_of(row["prompt"])
        # A few published questions show the same words, or none, under two letters.
        if len(set(options)) < len(options):
            continue
        for key in ("generated_response", "ground_truth_response"):
            text = answer_of(row[key])
            letters = read_answer(text, LETTERS[: len(options)])
            assert letters is not None
            assert read_answer(text, options) == {options[LETTERS.index(one)] for one in letters}


@pytest.mark.slow
def test_boxes_per_answer_fall_under_the_reward_without_recall() -> None:
    counts = {}
    for run in ("sft_1ep/drivingvqa", "grpo_acc_bbox_format/drivingvqa"):
        parsed = [
            GRAMMARS["inline_box"].parse(row["generated_response"], Frame.PIXEL)
            for row in records(run)
        ]
        counts[run] = sum(len(one.groundings) for one in parsed) / len(parsed)
    assert counts["sft_1ep/drivingvqa"] == pytest.approx(1.37, abs=0.005)
    assert counts["grpo_acc_bbox_format/drivingvqa"] == pytest.approx(1.03, abs=0.005)


@pytest.mark.slow
def test_the_reward_without_recall_rose_while_boxes_went_missing() -> None:
    def mean_reward(run: str) -> float:
        values = []
        for row in records(run):
            said, true = (
                [
                    part
                    for part in GRAMMARS["inline_box"].parse(row[key], Frame.PIXEL).reasoning
                    if isinstance(part, Grounding)
                ]
                for key in ("generated_response", "ground_truth_response")
            )
            values.append(mean_iou_over_predictions(said, true))
        return sum(values) / len(values)

    assert mean_reward("grpo_acc_bbox_format/drivingvqa") > mean_reward("sft_1ep/drivingvqa")
