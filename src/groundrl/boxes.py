"""Boxes with their frame, and the only IoU of this repository.

A box is two continuous corners (x right, y down); its area is ``(x2 - x1) * (y2 - y1)``, without
the "+ 1 pixel" of integer conventions. Two boxes can be compared in the same frame only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment


class Frame(StrEnum):
    """What the coordinates of a box are measured in."""

    PIXEL = "pixel"
    """Pixels of the original image."""
    MODEL = "model"
    """Pixels of the image as resized for the vision tower (Qwen2.5-VL)."""
    UNIT = "unit"
    """Shares of width and height, 0 to 1."""
    PERMILLE = "permille"
    """Thousandths of width and height, 0 to 1000 (Qwen3-VL)."""


class FrameMismatchError(ValueError):
    """Two boxes of different frames were compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Corners ``x1 <= x2``, ``y1 <= y2`` in ``frame``; raises ValueError on anything else."""

    x1: float
    y1: float
    x2: float
    y2: float
    frame: Frame

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in self.corners):
            raise ValueError(f"box corners must be finite numbers, got {self.corners}")
        if self.x1 > self.x2 or self.y1 > self.y2:
            raise ValueError(f"box needs x1 <= x2 and y1 <= y2, got {self.corners}")

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """(x1, y1, x2, y2)."""
        return self.x1, self.y1, self.x2, self.y2

    @property
    def area(self) -> float:
        """(x2 - x1) * (y2 - y1), in squared units of the frame."""
        return (self.x2 - self.x1) * (self.y2 - self.y1)

    @property
    def center(self) -> tuple[float, float]:
        """Midpoint (x, y)."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSizes:
    """One image's sizes: as stored, and as the vision tower sees it. Needed to change frames."""

    width: int
    """Pixels of the original image."""
    height: int
    model_width: int
    """Pixels after the processor's resize."""
    model_height: int

    def extent(self, frame: Frame) -> tuple[float, float]:
        """Width and height of the whole image in ``frame``."""
        match frame:
            case Frame.PIXEL:
                return float(self.width), float(self.height)
            case Frame.MODEL:
                return float(self.model_width), float(self.model_height)
            case Frame.UNIT:
                return 1.0, 1.0
            case Frame.PERMILLE:
                return 1000.0, 1000.0


def convert(box: Box, to: Frame, sizes: ImageSizes) -> Box:
    """The same region of the image in another frame: ``x' = x * extent(to) / extent(from)``."""
    if box.frame is to:
        return box
    from_width, from_height = sizes.extent(box.frame)
    to_width, to_height = sizes.extent(to)
    sx, sy = to_width / from_width, to_height / from_height
    return Box(x1=box.x1 * sx, y1=box.y1 * sy, x2=box.x2 * sx, y2=box.y2 * sy, frame=to)


def is_inside(box: Box, sizes: ImageSizes, tolerance: float = 1e-6) -> bool:
    """Whether the box lies within the image, up to ``tolerance`` of its extent."""
    width, height = sizes.extent(box.frame)
    return (
        box.x1 >= -tolerance * width
        and box.y1 >= -tolerance * height
        and box.x2 <= width * (1 + tolerance)
        and box.y2 <= height * (1 + tolerance)
    )


def intersection(a: Box, b: Box) -> float:
    """Area of the overlap; 0 when the boxes only touch. Raises FrameMismatchError."""
    if a.frame is not b.frame:
        raise FrameMismatchError(
            f"cannot compare a {a.frame} box with a {b.frame} box: convert() one of them first"
        )
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    return max(0.0, width) * max(0.0, height)


def iou(a: Box, b: Box) -> float:
    """Intersection over union, in [0, 1]; 0 when both boxes are empty."""
    overlap = intersection(a, b)
    union = a.area + b.area - overlap
    return overlap / union if union > 0 else 0.0


def giou(a: Box, b: Box) -> float:
    """Generalised IoU ``iou - (hull - union) / hull``, in [-1, 1] (arXiv 1902.09630)."""
    overlap = intersection(a, b)
    union = a.area + b.area - overlap
    hull = (max(a.x2, b.x2) - min(a.x1, b.x1)) * (max(a.y2, b.y2) - min(a.y1, b.y1))
    if hull <= 0:
        return 0.0
    return (overlap / union if union > 0 else 0.0) - (hull - union) / hull


def iou_table(a: Sequence[Box], b: Sequence[Box]) -> Float[np.ndarray, "A B"]:
    """``iou`` of every box of ``a`` with every one of ``b``. Raises FrameMismatchError."""
    if len(frames := {box.frame for box in (*a, *b)}) > 1:
        raise FrameMismatchError(f"cannot compare boxes of the frames {', '.join(sorted(frames))}")
    x1, y1, x2, y2 = np.array([box.corners for box in a], dtype=np.float64).T[:, :, None]
    u1, v1, u2, v2 = np.array([box.corners for box in b], dtype=np.float64).T[:, None, :]
    width = np.maximum(0.0, np.minimum(x2, u2) - np.maximum(x1, u1))
    overlap = width * np.maximum(0.0, np.minimum(y2, v2) - np.maximum(y1, v1))
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A predicted box paired with a true one."""

    predicted: int
    """Index into the predicted boxes."""
    true: int
    """Index into the true boxes."""
    iou: float


def match(predicted: Sequence[Box], true: Sequence[Box]) -> list[Match]:
    """Pair boxes one to one so that the summed IoU is greatest; pairs with IoU 0 are left out.

    A box that no partner overlaps stays unpaired, so ``len(result) <= min(n_pred, n_true)``.
    """
    if not predicted or not true:
        return []
    table = iou_table(predicted, true)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return [
        Match(predicted=int(row), true=int(column), iou=float(table[row, column]))
        for row, column in zip(rows, columns, strict=True)
        if table[row, column] > 0
    ]


def matched_iou(predicted: Sequence[Box], true: Sequence[Box]) -> float:
    """Recall-aware, count-penalised IoU: ``sum of matched IoU / max(n_pred, n_true)``, in [0, 1].

    Extra boxes and missing boxes both lower it. 1 when neither side has a box.
    """
    if not predicted and not true:
        return 1.0
    total = sum(pair.iou for pair in match(predicted, true))
    return total / max(len(predicted), len(true))
