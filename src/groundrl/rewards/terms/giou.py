"""Like ``iou``, with a slope where boxes do not overlap yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.optimize import linear_sum_assignment

from groundrl.answers.attempt import Attempt, score_boxes
from groundrl.boxes import Box, giou


@dataclass(frozen=True, slots=True)
class Giou:
    """``sum of one-to-one matched (1 + GIoU) / 2, over max(n_predicted, n_true)``, in [0, 1].

    Boxes are paired so that the sum is greatest. Nothing to point at and unknown boxes are treated
    as by ``iou``. Source: GIoU (arXiv 1902.09630), shifted so that no box is worse than none.
    Games it: any box in the image earns something, in a small image up to a half.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"groundings"})
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        return score_boxes(attempt, matched_giou)


def matched_giou(predicted: Sequence[Box], true: Sequence[Box]) -> float:
    """See ``Giou``; there are true boxes."""
    if not predicted:
        return 0.0
    table = np.array([[(1 + giou(box, target)) / 2 for target in true] for box in predicted])
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum()) / max(len(predicted), len(true))
