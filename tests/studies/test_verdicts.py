"""Whether hand-made runs bear a conclusion out."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from groundrl.intervals import t_interval
from groundrl.report.runs import find_runs
from groundrl.studies.conclusions import Conclusion, Side
from groundrl.studies.verdicts import (
    Verdict,
    decide,
    describe,
    judge_all,
    verdict_table,
    write_verdicts,
)

BEFORE, AFTER = (0.50, 0.52, 0.48), (0.60, 0.64, 0.56)


def finish(folder: Path, sft: float, grpo: float) -> None:
    """A run with these accuracies after its two stages."""
    folder.mkdir(parents=True)
    metrics = {"start": {"t/acc": 0.1}, "sft": {"t/acc": sft}, "grpo": {"t/acc": grpo}}
    (folder / "metrics.json").write_text(json.dumps(metrics))


def conclusion(
    of: Side | None = None,
    against: Side | None = None,
    expected: Literal["higher", "lower"] = "higher",
) -> Conclusion:
    return Conclusion(
        claim="GRPO raises accuracy",
        source="Table 2",
        metric="t/acc",
        of=of or Side(stage="grpo"),
        against=against or Side(stage="sft"),
        expected=expected,
    )


def verdict(root: Path, claim: Conclusion) -> Verdict:
    (found,) = judge_all([claim], find_runs(root))
    return found


def write_runs(root: Path, before: Sequence[float], after: Sequence[float]) -> None:
    for seed, (sft, grpo) in enumerate(zip(before, after, strict=True)):
        finish(root / "acc" / f"seed={seed}", sft, grpo)


def test_the_effect_is_paired_over_seeds(tmp_path: Path) -> None:
    write_runs(tmp_path, BEFORE, AFTER)
    found = verdict(tmp_path, conclusion())
    expected = ttest_rel(AFTER, BEFORE).confidence_interval()
    assert found.effect is not None
    assert found.effect.mean == pytest.approx(0.1)
    assert (found.effect.low, found.effect.high) == pytest.approx((expected.low, expected.high))
    assert (found.result, found.seeds, found.note) == ("borne out", ("0", "1", "2"), "")


@pytest.mark.parametrize(
    ("expected", "result"), [("higher", "borne out"), ("lower", "not borne out")]
)
def test_the_side_of_zero_decides(
    tmp_path: Path, expected: Literal["higher", "lower"], result: str
) -> None:
    write_runs(tmp_path, BEFORE, AFTER)
    assert verdict(tmp_path, conclusion(expected=expected)).result == result
    turned = conclusion(Side(stage="sft"), Side(stage="grpo"), expected)
    assert {verdict(tmp_path, turned).result, result} == {"borne out", "not borne out"}


def test_undecided_says_how_many_seeds_would_decide(tmp_path: Path) -> None:
    write_runs(tmp_path, (0.5, 0.5, 0.5), (0.6, 0.5, 0.55))
    found = verdict(tmp_path, conclusion())
    # Mean 0.05, deviation 0.05: t_5 / sqrt(6) = 2.571 / 2.449 > 1 > t_6 / sqrt(7) = 2.447 / 2.646.
    assert (found.result, found.note) == ("undecided", "about 7 seeds at this mean and spread")
    assert "To decide it: about 7 seeds" in describe(found)


@pytest.mark.parametrize(
    ("after", "note"),
    [
        ((0.6,), "one seed shows no spread: add a second one"),
        ((0.5, 0.5), "no seed makes a difference"),
        ((0.6, 0.4001), "more than 1000 seeds at this mean and spread"),
    ],
)
def test_what_more_seeds_cannot_foretell(
    tmp_path: Path, after: tuple[float, ...], note: str
) -> None:
    write_runs(tmp_path, [0.5] * len(after), after)
    found = verdict(tmp_path, conclusion())
    assert (found.result, found.note) == ("undecided", note)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=6), st.sampled_from(["higher", "lower"]))
def test_a_verdict_is_what_the_interval_says(
    differences: list[float], expected: Literal["higher", "lower"]
) -> None:
    interval, turned = t_interval(differences), t_interval([-value for value in differences])
    other: Literal["higher", "lower"] = "lower" if expected == "higher" else "higher"
    assert decide(interval, expected) == decide(turned, other)
    assert (decide(interval, expected) == "undecided") == (interval.low <= 0 <= interval.high)


def test_settings_are_compared_within_seeds_that_both_have(tmp_path: Path) -> None:
    write_runs(tmp_path, BEFORE, AFTER)
    for seed, grpo in ((1, 0.70), (2, 0.61), (7, 0.0)):
        finish(tmp_path / "iou+acc" / f"seed={seed}", 0.5, grpo)
    (tmp_path / "iou+acc" / "seed=0").mkdir()
    claim = conclusion(Side(setting="iou+acc"), Side(setting="acc"))
    found = verdict(tmp_path, claim)
    assert found.seeds == ("1", "2")
    assert found.effect is not None
    assert found.effect.mean == pytest.approx(np.mean([0.70 - 0.64, 0.61 - 0.56]))


@pytest.mark.parametrize(
    ("of", "metric", "note"),
    [
        (Side(setting="iou"), "t/acc", "no row fits [iou, last stage]"),
        (Side(setting="acc", stage="dpo"), "t/acc", "acc has no stage dpo, it has start, sft, "),
        (Side(setting="acc"), "t/iou", "[acc, last stage] has no metric t/iou"),
        (Side(setting="acc"), "u/acc", "[acc, last stage] has no metric u/acc, it has t/acc"),
        (Side(setting="lost"), "t/acc", "no run of lost is finished"),
        (Side(setting="other"), "t/acc", "no seed is finished on both sides"),
    ],
)
def test_what_is_not_there_is_not_measured(
    tmp_path: Path, of: Side, metric: str, note: str
) -> None:
    write_runs(tmp_path, BEFORE, AFTER)
    finish(tmp_path / "other" / "seed=9", 0.5, 0.6)
    (tmp_path / "lost" / "seed=0").mkdir(parents=True)
    against = Side(setting="acc", stage="start")
    claim = conclusion(of, against)
    found = verdict(tmp_path, replace(claim, metric=metric))
    assert found.result == "not measured"
    assert note in found.note
    assert found.effect is None
    assert f"Nothing to compare: {note}" in describe(found)


def answer(question: str, image: str, correct: bool) -> str:
    row = {
        "set": "t",
        "id": question,
        "kind": "color",
        "question": f"{question}?",
        "options": ["red", "blue"],
        "answers": ["red"],
        "prompt": None,
        "prompting": None,
        "seed": 1,
        "text": "red" if correct else "blue",
        "tokens": [1, 2],
        "truncated": False,
        "correct": correct,
        "iou": None,
        "scores": {},
        "boxes_true": [],
        "boxes_predicted": [],
        "spans_predicted": [],
        "grammar": "obj_bbox",
        "frame": "permille",
        "image_key": image,
        "image_size": [10, 10],
        "model_size": [10, 10],
        "images": [],
    }
    return json.dumps(row)


def write_answers(folder: Path, stage: str, right: Sequence[bool]) -> None:
    """Two questions about each image."""
    lines = [answer(f"q{i}", f"image{i // 2}", correct) for i, correct in enumerate(right)]
    (folder / f"heldout_{stage}.jsonl").write_text("\n".join(lines))


def test_answers_to_the_same_questions_are_paired(tmp_path: Path) -> None:
    write_runs(tmp_path, (0.25, 0.25), (0.75, 0.75))
    for seed in (0, 1):
        folder = tmp_path / "acc" / f"seed={seed}"
        write_answers(folder, "sft", [True, False, False, False])
        write_answers(folder, "grpo", [True, False, True, True])
    found = verdict(tmp_path, conclusion())
    assert found.by_question is not None
    assert found.effect is not None
    # One image gains both of its questions, the other none: 0 where it is drawn twice, or 1.
    assert found.by_question.mean == pytest.approx(found.effect.mean)
    assert (found.by_question.low, found.by_question.high) == (0, 1)
    assert found.by_question.n == 8
    assert "paired by question, +0.500 ± 0.500" in describe(found)
    write_answers(tmp_path / "acc" / "seed=1", "sft", [True])
    assert verdict(tmp_path, conclusion()).by_question is None


def test_verdicts_are_a_table_and_a_file(tmp_path: Path) -> None:
    write_runs(tmp_path, BEFORE[:1], AFTER[:1])
    found = [verdict(tmp_path, conclusion())]
    (row,) = verdict_table(found).rows
    verdict_cell = "undecided: one seed shows no spread: add a second one"
    assert row == ("GRPO raises accuracy", verdict_cell, "+0.100", "", "t/acc")
    written = json.loads(write_verdicts(tmp_path, found).read_text())["conclusions"]
    assert written == [
        {
            "claim": "GRPO raises accuracy",
            "source": "Table 2",
            "metric": "t/acc",
            "of": {"setting": "", "stage": "grpo"},
            "against": {"setting": "", "stage": "sft"},
            "expected": "higher",
            "verdict": "undecided",
            "effect": {"mean": pytest.approx(0.1), "low": None, "high": None, "n": 1},
            "seeds": ["0"],
            "by_question": None,
            "note": "one seed shows no spread: add a second one",
        }
    ]
