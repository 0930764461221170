"""Published data sets as training data."""

import logging
from collections.abc import Callable, Sequence
from typing import Literal

from groundrl.data.datasets import SampleList
from groundrl.data.module import GroundingDataModule
from groundrl.data.targets import Target, check_boxed_share, worked_answer
from groundrl.data.undersampling import Undersampling
from groundrl.errors import UserError
from groundrl.published.reader import FoundSamples, PublishedReader
from groundrl.records import Sample

SHOWN = 3
"""Examples in a message."""

logger = logging.getLogger(__name__)


def published_module(
    *,
    reader: Callable[..., PublishedReader],
    root: str | None,
    train_split: str,
    heldout_split: str | None,
    target: Target,
    boxed_share: float = 1.0,
    missing: Literal["error", "skip"] = "error",
    undersample: Undersampling | None = None,
    heldout_size: int | None = 500,
    prompts_per_step: int = 8,
    seed: int = 0,
    num_workers: int = 0,
) -> GroundingDataModule:
    """Questions of a published data set, as its benchmark asks them.

    ``reader`` is given ``root`` and ``split``. ``target`` and ``boxed_share``: what worked answers
    consist of. ``missing``: what is done with questions without an image. ``undersample`` biases
    the labels of the training split. At most ``heldout_size`` questions of ``heldout_split`` are
    held out (in each set, where ``undersample`` makes two), none of them about an image that is
    trained on; None for the split means no held-out set.

    Raises UserError for a target that the data does not have, for a share outside 0 .. 1, and for
    files that are missing or damaged.
    """
    train_reader = reader(root=root, split=train_split)
    _check_target(train_reader, target)
    check_boxed_share(boxed_share)
    found = _read(train_reader, train_split, missing)
    chosen = found.samples if undersample is None else undersample(found.samples)
    heldout = {}
    if heldout_split is not None:
        others = _read(reader(root=root, split=heldout_split), heldout_split, missing)
        # All images of the split, so that runs that differ in ``undersample`` hold out the same.
        kept = _without_trained(others, frozenset(found.names), heldout_split)
        asked = _worked(kept, target, boxed_share)
        sets = (
            {heldout_split: asked}
            if undersample is None
            else undersample.heldout_sets(heldout_split, asked.samples, found.samples)
        )
        heldout = {name: one.take(heldout_size, seed=0) for name, one in sets.items()}
    return GroundingDataModule(
        train=_worked(chosen, target, boxed_share),
        heldout=heldout,
        prompts_per_step=prompts_per_step,
        seed=seed,
        num_workers=num_workers,
        form=train_reader.form,
    )


def _worked(samples: Sequence[Sample], target: Target, boxed_share: float) -> SampleList:
    return SampleList(tuple(worked_answer(one, target, boxed_share) for one in samples))


def _check_target(reader: PublishedReader, target: Target) -> None:
    if target not in reader.targets:
        choices = " or ".join(f"data.target={one}" for one in reader.targets)
        raise UserError(f"{reader.download.name} has no {target} to learn from: type {choices}")


def _read(reader: PublishedReader, split: str, missing: str) -> FoundSamples:
    """Raises UserError for questions without an image, unless they are to be left out."""
    found = reader.find_samples()
    if found.missing:
        total = len(found.missing) + len(found.samples)
        lacking = (
            f"{reader.download.name}, split {split}: {len(found.missing)} of {total} questions have"
            f" no image, for example {'; '.join(found.missing[:SHOWN])}"
        )
        if missing == "error":
            raise UserError(
                f"{lacking}. {reader.download.image_advice}, or leave these questions out with "
                "data.missing=skip"
            )
        logger.warning("%s. They are left out", lacking)
    return found


def _without_trained(found: FoundSamples, trained: frozenset[str], split: str) -> list[Sample]:
    """The questions about other images than those that are trained on."""
    pairs = zip(found.samples, found.names, strict=True)
    kept = [sample for sample, name in pairs if name not in trained]
    if not kept:
        raise UserError(
            f"every image of split {split} is trained on: type data.heldout_split=<another split>"
        )
    if len(kept) < len(found.samples):
        logger.warning(
            "%d of %d held-out questions of split %s are about images that are trained on: left "
            "out",
            *(len(found.samples) - len(kept), len(found.samples), split),
        )
    return kept
