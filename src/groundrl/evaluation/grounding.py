"""Accuracy, IoU and format of grounded answers: one record per answer, one metric."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import is_unparsed
from groundrl.boxes import Box, Frame, ImageSizes, is_inside, match
from groundrl.figures import FigureInfo
from groundrl.intervals import Interval, bootstrap, wilson
from groundrl.metrics import EVALUATION
from groundrl.rewards.terms.format import follows_format

HIT_IOU = 0.5
"""A box is found from this IoU on (RefCOCO's protocol)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundedAnswer:
    """One answered question. Boxes are in the PIXEL frame."""

    correct: bool | None
    """None when the question asks for boxes only."""
    unparsed: bool | None
    """The answer says nothing of what was asked for (``is_unparsed``); None as for ``correct``."""
    predicted: tuple[Box, ...]
    true: tuple[Box, ...]
    """Empty when the sample has no true boxes: the question then does not count in the IoU."""
    sizes: ImageSizes
    """A width of 0 means that the image's size is unknown; its boxes do not count in off_frame."""
    boxes_read: bool
    """Every box that the answer begins could be read, whatever stands around it."""
    format_ok: bool
    """The answer keeps the required format."""
    truncated: bool
    tokens: int
    """Length of the completion."""
    image_key: str
    """``Sample.image.key``; questions about one image are resampled together."""


def summarize_answer(attempt: Attempt, correct: bool | None) -> GroundedAnswer:
    """The values of an answer that the metrics are computed from."""
    sample = attempt.sample
    return GroundedAnswer(
        correct=correct,
        unparsed=is_unparsed(attempt.parsed.answer, sample) if sample.answers else None,
        predicted=tuple(grounding.box for grounding in attempt.parsed.groundings),
        true=tuple(grounding.box for grounding in sample.groundings),
        sizes=attempt.sizes,
        boxes_read=not attempt.parsed.damaged,
        format_ok=follows_format(attempt),
        truncated=attempt.completion.truncated,
        tokens=len(attempt.completion.tokens),
        image_key=sample.image.key,
    )


GROUNDING_FIGURES = {
    **{name: FigureInfo(meaning=meaning) for name, meaning in EVALUATION.items()},
    "off_frame": FigureInfo(
        meaning=EVALUATION["off_frame"],
        alarm_from=0.1,
        alarm="of the boxes leave their images: were they written in another frame?",
    ),
    "parse_failure": FigureInfo(
        meaning=EVALUATION["parse_failure"],
        alarm_from=0.5,
        alarm="of the answers begin boxes that cannot be read: see grammar=",
    ),
    "truncated": FigureInfo(
        meaning=EVALUATION["truncated"],
        alarm_from=0.1,
        alarm="of the answers were cut off at the token limit: raise sampling.max_tokens",
    ),
}
"""Of ``GroundingMetrics``."""

OTHER_FRAME_FIGURES = {
    f"iou_as_{frame}": FigureInfo(
        meaning=f"Mean IoU of answers with boxes if these were meant as {frame}; only where that "
        "is far more than in the frame that was chosen."
    )
    for frame in Frame
}
"""Of ``answers.notation.other_frames``."""

COLUMNS: tuple[str, ...] = (
    "correct",  # nan when the question asks for boxes only
    "unparsed",  # likewise
    "iou",
    "iou_predicted",
    "all_hit",
    "hits",
    "predicted",
    "true",
    "outside",  # nan when the image's size is unknown
    "format_ok",
    "boxes_read",
    "truncated",
    "tokens",
)
"""The numbers of an answer that processes exchange."""

Table = dict[str, np.ndarray]


class GroundingMetrics(Metric):
    """Accuracy, IoU and format of grounded answers; names and meanings: metrics.EVALUATION.

    ``compute()`` gives ``{name: mean, name_low: ..., name_high: ...}`` with 95 % intervals: Wilson
    for proportions of answers, bootstrap by image for the rest. ``n`` and ``boxes_true`` stand
    alone. A metric that no question speaks about is left out. Processes exchange rows, so the
    result does not depend on how questions are divided among them.
    """

    full_state_update = False
    rows: list[Tensor]
    images: list[Tensor]

    def __init__(self, resamples: int = 1000, seed: int = 0, **options: Any) -> None:
        """``options`` are those of ``torchmetrics.Metric``."""
        super().__init__(**options)
        self.resamples = resamples
        self.seed = seed
        for name in ("rows", "images"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, outcomes: Iterable[GroundedAnswer]) -> None:
        """Adds answered questions."""
        outcomes = list(outcomes)
        if not outcomes:
            return
        rows = [_row(outcome) for outcome in outcomes]
        self.rows.append(torch.tensor(rows, dtype=torch.float64, device=self.device))
        images = [_digest(outcome.image_key) for outcome in outcomes]
        self.images.append(torch.tensor(images, dtype=torch.int64, device=self.device))

    def compute(self) -> dict[str, float]:
        """See the class. ValueError before the first outcome."""
        if len(self.rows) == 0:
            raise ValueError("no question was answered, so there is nothing to compute")
        rows = dim_zero_cat(self.rows).cpu().numpy()
        table: Table = dict(zip(COLUMNS, rows.T, strict=True))
        table["image"] = dim_zero_cat(self.images).cpu().numpy()
        n = len(table["image"])
        asked = _where(table, ~np.isnan(table["correct"]))
        worded = _where(table, ~np.isnan(table["unparsed"]))
        boxed = _where(table, table["true"] > 0)
        drawn = _where(table, (table["predicted"] > 0) & ~np.isnan(table["outside"]))
        share = drawn["outside"] / drawn["predicted"]
        intervals = {
            "acc": _proportion(asked["correct"]),
            "unparsed": _proportion(worded["unparsed"]),
            "iou": self._mean(boxed["iou"], boxed),
            "iou_predicted": self._mean(boxed["iou_predicted"], boxed),
            "acc_50": _proportion(boxed["all_hit"]),
            "recall_50": self._mean(boxed["hits"] / boxed["true"], boxed, weights=boxed["true"]),
            "boxes": self._mean(table["predicted"], table),
            "off_frame": self._mean(share, drawn, weights=drawn["predicted"]),
            "format": _proportion(table["format_ok"]),
            "parse_failure": _proportion(1 - table["boxes_read"]),
            "truncated": _proportion(table["truncated"]),
            "tokens": self._mean(table["tokens"], table),
        }
        summary = {"n": float(n)}
        for name, interval in intervals.items():
            if interval is not None:
                summary |= interval.figures(name)
            if name == "boxes":  # beside it, in tables
                summary["boxes_true"] = float(table["true"].mean())
        return summary

    def _mean(
        self, values: np.ndarray, table: Table, weights: np.ndarray | None = None
    ) -> Interval | None:
        if len(values) == 0:
            return None
        return bootstrap(values, table["image"], weights, self.resamples, self.seed)


def _proportion(values: np.ndarray) -> Interval | None:
    return wilson(int(values.sum()), len(values)) if len(values) else None


def _where(table: Table, keep: np.ndarray) -> Table:
    return {name: column[keep] for name, column in table.items()}


def _row(outcome: GroundedAnswer) -> list[float]:
    """The values of COLUMNS."""
    predicted, true = outcome.predicted, outcome.true
    pairs = match(predicted, true)
    total = sum(pair.iou for pair in pairs)
    hits = sum(pair.iou >= HIT_IOU for pair in pairs)
    return [
        _flag(outcome.correct),
        _flag(outcome.unparsed),
        total / max(len(predicted), len(true), 1),
        total / max(len(predicted), 1),
        float(hits == len(predicted) == len(true)),
        float(hits),
        float(len(predicted)),
        float(len(true)),
        _outside(predicted, outcome.sizes),
        float(outcome.format_ok),
        float(outcome.boxes_read),
        float(outcome.truncated),
        float(outcome.tokens),
    ]


def _flag(value: bool | None) -> float:
    return float("nan") if value is None else float(value)


def _outside(predicted: tuple[Box, ...], sizes: ImageSizes) -> float:
    if sizes.width == 0:
        return float("nan")
    return float(sum(not is_inside(box, sizes) for box in predicted))


def _digest(key: str) -> int:
    """The same 64-bit number for the same image in every process (``hash`` is salted)."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True)
