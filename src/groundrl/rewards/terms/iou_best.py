"""Ablation: recall alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.boxes import Box, iou


@dataclass(frozen=True, slots=True)
class IouBest:
    """``mean over the true boxes of the best IoU that any predicted box reaches``, in [0, 1].

    None where the true boxes are unknown or there are none. Source: the best-of-all-boxes scoring
    of several public referring-expression evaluations.
    Games it: box spam. The more boxes the better, and a fixed grid does well on every image.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"groundings"})
    gamed_by: ClassVar[frozenset[str]] = frozenset(
        {
            "a box for every option",
            "box spam",
            "every box twice",
            "fixed grid",
            "found by search",
            "thousands of boxes",
            "whole image besides",
        }
    )
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        true = attempt.true_boxes
        return best_iou(attempt.predicted_boxes, true) if true else None


def best_iou(predicted: Sequence[Box], true: Sequence[Box]) -> float:
    """Mean over ``true`` of the largest IoU with any of ``predicted``; 0 without either."""
    if not predicted or not true:
        return 0.0
    return sum(max(iou(box, target) for box in predicted) for target in true) / len(true)
