"""Images, held-out metrics and hyper-parameters for TensorBoard.

Each takes a ``SummaryWriter``; Lightning's ``TensorBoardLogger.experiment`` is one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard

import numpy as np
from PIL.Image import Image
from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.report.tables import Metrics, is_headline, metric_names

Leaf = bool | str | int | float


def log_image(writer: SummaryWriter, name: str, image: Image, step: int) -> None:
    """Write an image under ``name``, unchanged."""
    writer.add_image(name, np.asarray(image.convert("RGB")), step, dataformats="HWC")


def log_held_out(writer: SummaryWriter, points: Iterable[tuple[int, Metrics]]) -> None:
    """Write the headline metrics at each point of a run, after so many steps, as
    ``heldout/<name>``: curves from the start over the end of each stage."""
    for step, metrics in points:
        for name in filter(is_headline, metric_names([metrics])):
            writer.add_scalar(f"heldout/{name}", metrics[name], step)


def log_hparams(
    writer: SummaryWriter, config: Mapping[str, object], metrics: Mapping[str, float]
) -> None:
    """Write the run's row of the HParams page: nested ``config`` under dotted names, and the
    headlines of its final metrics as ``hparam/<name>``, apart from the curves of the same name."""
    shown = {f"hparam/{n}": metrics[n] for n in metric_names([metrics]) if is_headline(n)}
    # "." keeps the row in this run; by default it becomes a run of its own, named by the clock.
    writer.add_hparams(_flatten(config), shown, run_name=".")


def _flatten(config: Mapping[str, object], prefix: str = "") -> dict[str, Leaf]:
    """Nested names joined by dots; values of other types than ``Leaf`` become text."""
    leaves: dict[str, Leaf] = {}
    for key, value in config.items():
        if _is_mapping(value):
            leaves |= _flatten(value, f"{prefix}{key}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            leaves[prefix + key] = ", ".join(map(str, value))
        else:
            leaves[prefix + key] = value if isinstance(value, Leaf) else str(value)
    return leaves


def _is_mapping(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)
