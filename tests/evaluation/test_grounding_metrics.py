import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from replies import reply

from groundrl.boxes import Box, Frame, ImageSizes, matched_iou
from groundrl.evaluation.grounding import GroundedAnswer, GroundingMetrics, summarize_answer
from groundrl.intervals import bootstrap, wilson
from groundrl.metrics import EVALUATION
from groundrl.records import ImageFile, Provenance, Sample

SIZES = ImageSizes(width=100, height=80, model_width=56, model_height=56)


def box(x1: float, y1: float, x2: float, y2: float) -> Box:
    return Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL)


SAMPLE = Sample(
    id="0",
    image=ImageFile(path=Path("cup.png"), width=200, height=100),
    question="Where?",
    provenance=Provenance(dataset="d", split="s"),
)

VASE = box(0, 0, 10, 10)
HALF_VASE = box(0, 0, 10, 5)
CUP = box(50, 50, 70, 70)
OUTSIDE = box(90, 70, 110, 90)

GOOD = GroundedAnswer(
    correct=True,
    unparsed=False,
    predicted=(VASE, CUP),
    true=(CUP, VASE),
    sizes=SIZES,
    boxes_read=True,
    format_ok=True,
    truncated=False,
    tokens=40,
    image_key="a",
)
LAZY = replace(GOOD, correct=False, unparsed=True, predicted=(VASE,), tokens=20, image_key="b")
SPAM = replace(GOOD, predicted=(VASE, CUP, OUTSIDE, OUTSIDE), tokens=80, image_key="a")
BROKEN = replace(
    GOOD,
    correct=None,
    unparsed=None,
    predicted=(),
    true=(),
    boxes_read=False,
    format_ok=False,
    truncated=True,
    tokens=60,
    image_key="c",
)
ALL = [GOOD, LAZY, SPAM, BROKEN]


def scores(outcomes: list[GroundedAnswer], **options: int) -> dict[str, float]:
    metric = GroundingMetrics(**options)
    metric.update(outcomes)
    return metric.compute()


def test_four_answers_have_the_scores_one_computes_by_hand() -> None:
    got = scores(ALL)
    expected = {
        "n": 4,
        "acc": 2 / 3,  # BROKEN has no right answer
        "unparsed": 1 / 3,
        "iou": (1 + 1 / 2 + 2 / 4) / 3,  # and no true box
        "iou_predicted": (1 + 1 + 2 / 4) / 3,
        "acc_50": 1 / 3,
        "recall_50": (2 + 1 + 2) / 6,
        "boxes": 7 / 4,
        "boxes_true": 6 / 4,
        "off_frame": 2 / 7,
        "format": 3 / 4,
        "parse_failure": 1 / 4,
        "truncated": 1 / 4,
        "tokens": 50,
    }
    assert {name: got[name] for name in expected} == pytest.approx(expected)
    intervals = {f"{name}_{end}" for name in expected for end in ("low", "high")}
    assert got.keys() - expected.keys() == intervals - {
        f"{name}_{end}" for name in ("n", "boxes_true") for end in ("low", "high")
    }
    assert all(got[f"{k}_low"] <= got[k] <= got[f"{k}_high"] for k in expected if f"{k}_low" in got)


def test_one_easy_box_fools_the_iou_without_recall_only() -> None:
    got = scores([LAZY])
    assert got["iou_predicted"] == 1.0
    assert got["iou"] == 0.5
    assert got["acc_50"] == 0.0


def test_iou_is_the_reward_s_iou() -> None:
    outcome = replace(GOOD, predicted=(HALF_VASE, OUTSIDE), true=(VASE, CUP))
    assert scores([outcome])["iou"] == matched_iou((HALF_VASE, OUTSIDE), (VASE, CUP)) == 0.25


def test_a_box_is_found_at_half_overlap() -> None:
    met = replace(GOOD, predicted=(HALF_VASE,), true=(VASE,))
    missed = replace(met, predicted=(box(0, 0, 10, 4.9),))
    twice = replace(met, predicted=(VASE, VASE))
    assert scores([met])["acc_50"] == 1.0
    assert scores([missed])["acc_50"] == 0.0
    assert scores([twice])["acc_50"] == 0.0


def test_intervals_are_wilson_for_shares_and_by_image_for_the_rest() -> None:
    got = scores(ALL, resamples=200, seed=5)
    share = wilson(2, 3)
    assert (got["acc_low"], got["acc_high"]) == (share.low, share.high)
    # Order of clusters follows their keys, which must not change the ends by more than drawing.
    mean = bootstrap([2.0, 1.0, 4.0, 0.0], ["a", "b", "a", "c"], resamples=20_000)
    wide = scores(ALL, resamples=20_000)
    assert (wide["boxes_low"], wide["boxes_high"]) == pytest.approx((mean.low, mean.high), abs=0.05)


def test_figures_that_no_question_measures_are_left_out() -> None:
    got = scores([BROKEN])
    absent = ("acc", "unparsed", "iou", "iou_predicted", "acc_50", "recall_50", "off_frame")
    assert [name for name in absent if any(key.startswith(name) for key in got)] == []
    assert got["boxes"] == 0.0
    json.dumps(got, allow_nan=False)


def test_every_name_is_declared() -> None:
    names = {name.removesuffix("_low").removesuffix("_high") for name in scores(ALL)}
    assert names <= set(EVALUATION)


def test_batches_and_reset_make_no_difference() -> None:
    metric = GroundingMetrics()
    metric.update(ALL)
    metric.reset()
    for one in ALL:
        metric.update([one])
    metric.update([])
    assert metric.compute() == scores(ALL)


def test_nothing_answered_is_an_error() -> None:
    metric = GroundingMetrics()
    metric.update([])
    with pytest.raises(ValueError, match="no question was answered"):
        metric.compute()


@pytest.mark.slow
def test_many_answers_are_summed_up_quickly_and_exactly() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(3000) < 0.7
    outcomes = [
        replace(GOOD, correct=bool(flag), image_key=str(i // 6)) for i, flag in enumerate(right)
    ]
    got = scores(outcomes)
    assert got["acc"] == right.mean()
    assert got["iou"] == 1.0
    assert torch.tensor(got["tokens"]).item() == 40.0


def test_only_a_box_that_is_begun_can_be_unreadable() -> None:
    def unreadable(text: str) -> float:
        return scores([summarize_answer(reply(SAMPLE, text), None)])["parse_failure"]

    for text in ("[1,2,3,4 cup] It is red.", "B", "", "<think>[1,2,3,4 cup]", "[see above]"):
        assert unreadable(text) == 0
    for text in ("[1,2,3 cup]", "<think>[9,2,3,4 cup]</think><answer>B</answer>", "[1,2,3,4"):
        assert unreadable(text) == 1
