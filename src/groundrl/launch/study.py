"""What a sweep file says beside its grid: published figures and conclusions."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from groundrl.errors import UserError
from groundrl.launch.grid import Grid
from groundrl.studies.conclusions import Conclusion, conclusion_problems, read_conclusions


def published_figures(cfg: DictConfig) -> Mapping[str, Mapping[str, int | float | str]]:
    """Row -> metric -> value; empty where nothing is published."""
    return cast(Any, OmegaConf.to_container(cfg.published)) if "published" in cfg else {}


def conclusions_of(cfg: DictConfig) -> tuple[Conclusion, ...]:
    """What the study claims; empty where it claims nothing. Raises UserError."""
    return read_conclusions(OmegaConf.to_container(cfg.conclusions)) if "conclusions" in cfg else ()


def study_problems(cfg: DictConfig) -> Iterator[str]:
    """What is wrong with the conclusions of a multirun; ``cfg``: with Hydra's own settings.

    They are held against the grid of the file: a typed option may leave some of its rows out, and
    what is said about those is not measured then.
    """
    try:
        conclusions = conclusions_of(cfg)
    except UserError as error:
        yield str(error)
        return
    if conclusions:
        rows = Grid.of(cfg.hydra.sweeper.get("params") or {}, ()).rows()
        yield from conclusion_problems(conclusions, rows, ("start", *cfg.stage))
