"""Functions that the options of ``conf/data`` call to make datamodules."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from groundrl.data.box_questions import KINDS
from groundrl.data.datasets import WorldScenes, detections, sample_file
from groundrl.data.detection import Layout
from groundrl.data.module import GroundingDataModule
from groundrl.errors import UserError
from groundrl.questions.sentences import Order


def world_module(
    *,
    train: WorldScenes,
    heldout: Mapping[str, Callable[..., WorldScenes]],
    heldout_size: int = 500,
    prompts_per_step: int = 8,
    seed: int = 0,
    num_workers: int = 0,
) -> GroundingDataModule:
    """Questions about drawn scenes, or captions of them; each held-out set is given its ``size``
    here."""
    return GroundingDataModule(
        train=train,
        heldout={name: make(size=heldout_size) for name, make in heldout.items()},
        prompts_per_step=prompts_per_step,
        seed=seed,
        num_workers=num_workers,
    )


def detection_module(
    *,
    layout: Layout,
    root: str | Path,
    train_split: str | None,
    heldout_split: str | None,
    kinds: Sequence[str] = KINDS,
    rationale: Order = "look_first",
    heldout_size: int | None = 500,
    prompts_per_step: int = 8,
    seed: int = 0,
    num_workers: int = 0,
) -> GroundingDataModule:
    """Questions about the boxes of a detection data set.

    ``rationale``: whether worked answers point before they conclude. At most ``heldout_size``
    questions of ``heldout_split`` are held out; None for the split means no held-out set. Raises
    UserError that lists everything wrong with the data set.
    """
    train = detections(layout, root, train_split, kinds, seed, rationale)
    heldout = {}
    if heldout_split is not None:
        # Seed 0 always: runs that differ in their seed are compared on the same questions.
        questions = detections(layout, root, heldout_split, kinds, 0, rationale)
        heldout[heldout_split] = questions.take(heldout_size, seed=0)
    return GroundingDataModule(
        train=train,
        heldout=heldout,
        prompts_per_step=prompts_per_step,
        seed=seed,
        num_workers=num_workers,
    )


def sample_file_module(
    *,
    path: str | Path,
    heldout_path: str | Path | None = None,
    heldout_size: int | None = 500,
    prompts_per_step: int = 8,
    seed: int = 0,
    num_workers: int = 0,
) -> GroundingDataModule:
    """Samples of our own schema, JSONL or Parquet; the held-out set is called "heldout"."""
    heldout = {}
    if heldout_path is not None:
        heldout["heldout"] = sample_file(heldout_path).take(heldout_size, seed=0)
    return GroundingDataModule(
        train=sample_file(path),
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
