"""Ablation: average precision with a penalty on the number of boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from groundrl.answers.attempt import Attempt, score_boxes
from groundrl.boxes import Box, iou

THRESHOLDS = tuple(value / 100 for value in range(50, 100, 5))
RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class IouMap:
    """``AP * (1 if n_true >= n_predicted else n_true / n_predicted)``, in [0, 1].

    Nothing to point at and unknown boxes are treated as by ``iou``. AP is the COCO average over IoU
    thresholds 0.50, 0.55, …, 0.95 and 101 recall points, of one class: words of an open vocabulary
    seldom match exactly. Boxes carry no confidence, so an earlier box counts as the more confident.
    Source: the "odLength" reward of public R1-style detection training.
    Games it: little, but it is 0 below IoU 0.5, so a weak policy learns nothing from it.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"groundings"})
    gamed_by: ClassVar[frozenset[str]] = frozenset({"found by search"})
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        return score_boxes(attempt, penalised_map)


def penalised_map(predicted: Sequence[Box], true: Sequence[Box]) -> float:
    """See ``IouMap``; there are true boxes."""
    if not predicted:
        return 0.0
    precision = sum(average_precision(predicted, true, t) for t in THRESHOLDS) / len(THRESHOLDS)
    return precision * min(1.0, len(true) / len(predicted))


def average_precision(predicted: Sequence[Box], true: Sequence[Box], threshold: float) -> float:
    """COCO's 101-point interpolated AP, in [0, 1]; both sides must have boxes."""
    free = list(true)
    hits = np.zeros(len(predicted))
    for index, box in enumerate(predicted):
        best = max(free, key=lambda target: iou(box, target), default=None)
        if best is not None and iou(box, best) >= threshold:
            hits[index] = 1
            free.remove(best)
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(predicted) + 1)
    # Precision at a recall is the best that any longer list still reaches.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(found / len(true), RECALLS, side="left")
    return float(np.append(envelope, 0.0)[places].mean())
