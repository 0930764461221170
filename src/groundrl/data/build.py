"""Functions that the options of ``conf/data`` call to make datamodules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from groundrl.data.box_questions import KINDS
from groundrl.data.datasets import WorldScenes, box_questions, sample_file
from groundrl.data.detection.base import DetectionSet, Layout, split_images
from groundrl.data.detection.classes import ClassOptions
from groundrl.data.detection.flips import Flip, add_flips
from groundrl.data.module import GroundingDataModule
from groundrl.data.problems import Treatment
from groundrl.data.targets import Target
from groundrl.errors import UserError
from groundrl.questions.sentences import Order


def world_module(
    *,
    train: WorldScenes,
    heldout: Mapping[str, Callable[..., WorldScenes]],
    target: Target = "boxed_rationale",
    boxed_share: float = 1.0,
    heldout_size: int = 500,
    prompts_per_step: int = 8,
    seed: int = 0,
    num_workers: int = 0,
) -> GroundingDataModule:
    """Questions about drawn scenes, or captions of them; each held-out set is given its ``size``
    here, and each set its ``target`` and ``boxed_share``: what worked answers consist of."""
    worked: dict[str, Any] = {"target": target, "boxed_share": boxed_share}
    return GroundingDataModule(
        train=replace(train, **worked),
        heldout={name: make(size=heldout_size, **worked) for name, make in heldout.items()},
        prompts_per_step=prompts_per_step,
        seed=seed,
        num_workers=num_workers,
    )


def detection_module(
    *,
    layout: Layout,
    root: str | Path,
    train_split: str | None,
    heldout_split: str | float | None,
    images: str | Path | None = None,
    names: Mapping[str, str | None] | None = None,
    never_absent: Sequence[str] | str = (),
    skip_unreadable: bool = False,
    kinds: Sequence[str] = KINDS,
    flips: Sequence[Flip] = (),
    rationale: Order = "look_first",
    heldout_size: int | None = 500,
    prompts_per_step: int = 8,
    seed: int = 0,
    num_workers: int = 0,
) -> GroundingDataModule:
    """Questions about the boxes of a detection data set.

    ``heldout_split``: a split of its own; a share, such as 0.2, of the images of ``train_split``;
    or None for no held-out set. At most ``heldout_size`` of its questions are asked. ``images``:
    their folder, where it is not in ``root``. ``names``: class -> noun, where the noun that its
    name becomes is wrong; null for a class that is not to be asked about. ``never_absent``: classes
    that annotators may have missed, or "all". ``skip_unreadable``: leave out images that cannot be
    read. ``kinds``: what is asked. ``flips``: the training images are also shown mirrored, each
    with questions of its own. ``rationale``: whether worked answers point before they conclude.
    Raises UserError that lists everything wrong with the data set.
    """

    def read(split: str | None) -> DetectionSet:
        return layout.read(root, split, images=images, skip_unreadable=skip_unreadable)

    train, heldout = read(train_split), None
    if isinstance(heldout_split, int | float):
        train, heldout = split_images(train, heldout_split)
    elif heldout_split is not None:
        heldout = read(heldout_split)
    known = tuple(dict.fromkeys((*train.names, *(heldout.names if heldout else ()))))
    classes = ClassOptions(names=names or {}, never_absent=never_absent, other_splits=known)
    classes.check(known, "data")
    questions = {}
    if heldout is not None:
        # Seed 0 always: runs that differ in their seed are compared on the same questions.
        found = box_questions(heldout, kinds, 0, rationale, classes)
        questions[heldout.split] = found.take(heldout_size, seed=0)
    return GroundingDataModule(
        train=box_questions(add_flips(train, flips), kinds, seed, rationale, classes),
        heldout=questions,
        prompts_per_step=prompts_per_step,
        seed=seed,
        num_workers=num_workers,
    )


def sample_file_module(
    *,
    path: str | Path,
    heldout_path: str | Path | None = None,
    heldout_size: int | None = 500,
    unreadable: Treatment = "error",
    prompts_per_step: int = 8,
    seed: int = 0,
    num_workers: int = 0,
) -> GroundingDataModule:
    """Samples of our own schema, JSONL or Parquet; the held-out set is called "heldout".
    ``unreadable``: what is done with damaged rows and those without a whole image."""
    heldout = {}
    if heldout_path is not None:
        heldout["heldout"] = sample_file(heldout_path, unreadable).take(heldout_size, seed=0)
    return GroundingDataModule(
        train=sample_file(path, unreadable),
        heldout=heldout,
        prompts_per_step=prompts_per_step,
        seed=seed,
        num_workers=num_workers,
    )


def synthesized_module(
    *,
    root: str | Path,
    heldout_size: int | None = 500,
    prompts_per_step: int = 8,
    seed: int = 0,
    num_workers: int = 0,
) -> GroundingDataModule:
    """The samples that synthesize.py wrote to ``root``; without a held-out set if it has none."""
    folder = Path(root).expanduser()
    if not (folder / "train.jsonl").is_file():
        raise UserError(
            f"data.root={folder} has no train.jsonl: type data.root=<the path that synthesize.py "
            "printed last>"
        )
    heldout = folder / "heldout.jsonl"
    return sample_file_module(
        path=folder / "train.jsonl",
        heldout_path=heldout if heldout.is_file() and heldout.stat().st_size else None,
        heldout_size=heldout_size,
        prompts_per_step=prompts_per_step,
        seed=seed,
        num_workers=num_workers,
    )
