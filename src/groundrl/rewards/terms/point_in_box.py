"""Does each box at least point at its object?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt, score_boxes
from groundrl.boxes import Box, match


@dataclass(frozen=True, slots=True)
class PointInBox:
    """``matched boxes whose centre lies in the true box / max(n_predicted, n_true)``, in [0, 1].

    Nothing to point at and unknown boxes are treated as by ``iou``. Source: the pointing game
    (arXiv 1608.00507), made one to one.
    Games it: boxes of any size around the right point.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"groundings"})
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        return score_boxes(attempt, points_in_boxes)


def points_in_boxes(predicted: Sequence[Box], true: Sequence[Box]) -> float:
    """See ``PointInBox``; there are true boxes."""
    pairs = match(predicted, true)
    hits = sum(_holds(true[pair.true], predicted[pair.predicted].center) for pair in pairs)
    return hits / max(len(predicted), len(true))


def _holds(box: Box, point: tuple[float, float]) -> bool:
    x, y = point
    return box.x1 <= x <= box.x2 and box.y1 <= y <= box.y2
