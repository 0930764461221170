"""How well a reward model tells right sentences from wrong ones in captions of new images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torchmetrics.functional.classification import binary_auroc, binary_calibration_error

from groundrl.feedback.captions import OUTPUTS
from groundrl.feedback.labels import SentenceError
from groundrl.feedback.scores import ScoredCaption
from groundrl.figures import FigureInfo
from groundrl.intervals import Interval, bootstrap_figures, wilson

BINS: Final = 10
"""Of equal width, for calibration."""

FIGURES: Final = {
    "n": FigureInfo(meaning="Sentences, or captions where these have one score each."),
    "captions": FigureInfo(meaning="Captions."),
    "wrong": FigureInfo(meaning="Share with an error, as at least half of the annotators say."),
    "acc": FigureInfo(meaning="Share that is judged as the annotators do."),
    "balanced_acc": FigureInfo(
        meaning="Mean of the share of wrong ones found and of right ones let pass; 0.5 by chance.",
        quoted=True,
    ),
    "auc": FigureInfo(
        meaning="Probability that a wrong one scores above a right one; 0.5 by chance.",
        quoted=True,
    ),
    "ece": FigureInfo(
        meaning="Expected calibration error: mean distance of probability and share, ten bins."
    ),
    **{
        f"recall_{error}": FigureInfo(meaning=f"Share of those with the error {error} found wrong.")
        for error in SentenceError
    },
    **{
        f"auc_{error}": FigureInfo(meaning=f"AUC of the output for the error {error}.")
        for error in SentenceError
    },
}
"""All but the counts ``n`` and ``captions`` with 95 % intervals by bootstrap over images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Units whose probability of an error is in one tenth of [0, 1]."""

    probability: float
    """Mean."""
    wrong: Interval
    """Share that is wrong, with Wilson's interval."""


def reward_figures(captions: Sequence[ScoredCaption], threshold: float) -> dict[str, float]:
    """``FIGURES`` of units of which some are right and some are wrong, each with its interval.

    Units count as wrong from ``threshold`` on. A figure that the units say nothing about is left
    out: a recall of errors that none has, an AUC of one class.
    """
    scores, labels = table(captions)
    images = [caption.image for caption in captions for _ in caption.units]
    cluster = np.unique(images, return_inverse=True)[1]
    rows = np.arange(len(cluster))

    def figures(counts: Int[np.ndarray, "images"]) -> dict[str, float]:
        drawn = np.repeat(rows, counts[cluster])
        return _figures(scores[drawn], labels[drawn], threshold)

    found = bootstrap_figures(figures, int(cluster.max()) + 1, len(rows))
    summary = {"n": float(len(rows)), "captions": float(len(captions))}
    for name, interval in found.items():
        summary |= interval.figures(name)
    return summary


def table(
    captions: Sequence[ScoredCaption],
) -> tuple[Float[np.ndarray, "N outputs"], Bool[np.ndarray, "N outputs"]]:
    """Scores and labels of all units."""
    units = [unit for caption in captions for unit in caption.units]
    scores = np.array([[unit.scores[name] for name in OUTPUTS] for unit in units])
    return scores, np.array([[unit.has(name) for name in OUTPUTS] for unit in units])


def _figures(
    scores: Float[np.ndarray, "N outputs"], labels: Bool[np.ndarray, "N outputs"], threshold: float
) -> dict[str, float]:
    wrong, flagged = labels[:, 0], scores[:, 0] >= threshold
    right = wrong == flagged
    found = {"wrong": float(wrong.mean()), "acc": float(right.mean())}
    if 0 < found["wrong"] < 1:
        found["balanced_acc"] = float((right[wrong].mean() + right[~wrong].mean()) / 2)
        found["auc"] = auc(scores[:, 0], wrong)
    found["ece"] = calibration_error(scores[:, 0], wrong)
    for column, error in enumerate(SentenceError, start=1):
        has = labels[:, column]
        if has.any():
            found[f"recall_{error}"] = float(flagged[has].mean())
            if not has.all():
                found[f"auc_{error}"] = auc(scores[:, column], has)
    return found


def auc(scores: Float[np.ndarray, "N"], labels: Bool[np.ndarray, "N"]) -> float:
    """Area under the receiver operating characteristic."""
    return binary_auroc(*_tensors(scores, labels), validate_args=False).item()


def calibration_error(scores: Float[np.ndarray, "N"], labels: Bool[np.ndarray, "N"]) -> float:
    """``sum over bins of share of the bin * |mean probability - share of wrong ones|``."""
    return binary_calibration_error(
        *_tensors(scores, labels), n_bins=BINS, validate_args=False
    ).item()


def _tensors(
    scores: Float[np.ndarray, "N"], labels: Bool[np.ndarray, "N"]
) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(np.ascontiguousarray(scores)), torch.from_numpy(labels).long()


def reliability(captions: Sequence[ScoredCaption]) -> list[ReliabilityBin]:
    """The bins that hold any unit, lowest first."""
    scores, labels = (columns[:, 0] for columns in table(captions))
    bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    return [
        ReliabilityBin(
            probability=float(scores[inside].mean()),
            wrong=wilson(int(labels[inside].sum()), int(inside.sum())),
        )
        for inside in (bins == number for number in range(BINS))
        if inside.any()
    ]
