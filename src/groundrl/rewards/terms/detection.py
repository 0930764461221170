"""Ablation: detection with labels: overlap, missed objects, false alarms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt, score_boxes
from groundrl.boxes import iou
from groundrl.records import Grounding

THRESHOLD = 0.5
"""Least IoU of a match."""


@dataclass(frozen=True, slots=True)
class Detection:
    """``0.7 * (sum of matched IoU / n_true) + 0.3 * (1 - (miss rate + false-alarm rate) / 2)``.

    Range [0, 1]. Pairs of equal labels (in lower case) with an IoU of 0.5 or more are matched one
    to one, the largest IoU first. Miss rate: share of the true boxes without a match; false-alarm
    rate: share of the predicted boxes without one, 0 without boxes. Nothing to point at and unknown
    boxes are treated as by ``iou``. Source: the "detection_score" of public R1-style detection
    training.
    Games it: extra boxes, which cost 0.15 at most, less than true boxes that are a little off;
    silence earns 0.15 for raising no false alarm, more than boxes that hit nothing; words of an
    open vocabulary seldom match exactly, so copying the labels of the question helps.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"groundings"})
    gamed_by: ClassVar[frozenset[str]] = frozenset(
        {"every box twice", "found by search", "whole image besides"}
    )
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        predicted, true = attempt.parsed.groundings, attempt.sample.groundings
        return score_boxes(attempt, lambda *_: detection_score(predicted, true))


def detection_score(predicted: Sequence[Grounding], true: Sequence[Grounding]) -> float:
    """See ``Detection``; there are true boxes."""
    pairs = sorted(
        (-overlap, i, j)
        for i, one in enumerate(predicted)
        for j, target in enumerate(true)
        if one.label.strip().lower() == target.label.strip().lower()
        and (overlap := iou(one.box, target.box)) >= THRESHOLD
    )
    taken_i, taken_j, total = set[int](), set[int](), 0.0
    for negative, i, j in pairs:
        if i not in taken_i and j not in taken_j:
            taken_i.add(i)
            taken_j.add(j)
            total -= negative
    misses = 1 - len(taken_j) / len(true)
    alarms = 1 - len(taken_i) / len(predicted) if predicted else 0.0
    return 0.7 * total / len(true) + 0.3 * (1 - (misses + alarms) / 2)
