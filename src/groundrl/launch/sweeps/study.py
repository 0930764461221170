"""What a sweep file says beside its grid: published figures and conclusions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from groundrl.errors import UserError
from groundrl.launch.sweeps.grid import Grid
from groundrl.studies.conclusions import Conclusion, conclusion_problems, read_conclusions

GRID, DECIDED = "grid", "decided"
"""Values of ``sweep.until``: a sweep ends with its grid, or once its conclusions are decided."""
MANY_JOBS = 200
"""More have to be confirmed."""


def published_figures(cfg: DictConfig) -> Mapping[str, Mapping[str, int | float | str]]:
    """Row -> metric -> value; empty where nothing is published."""
    return cast(Any, OmegaConf.to_container(cfg.published)) if "published" in cfg else {}


def conclusions_of(cfg: DictConfig) -> tuple[Conclusion, ...]:
    """What the study claims; empty where it claims nothing. Raises UserError."""
    return read_conclusions(OmegaConf.to_container(cfg.conclusions)) if "conclusions" in cfg else ()


def study_problems(cfg: DictConfig, typed: Sequence[Override]) -> Iterator[str]:
    """What is wrong with a multirun as a whole; ``cfg``: with Hydra's own settings.

    Conclusions are held against the grid of the file: a typed option may leave some of its rows
    out, and what is said about those is not measured then.
    """
    params = cfg.hydra.sweeper.get("params") or {}
    try:
        conclusions = conclusions_of(cfg)
    except UserError as error:
        yield str(error)
        return
    if conclusions:
        yield from conclusion_problems(
            conclusions, Grid.of(params, ()).rows(), ("start", *cfg.stage)
        )
    if "sweep" in cfg:
        yield from _sweep_problems(cfg, Grid.of(params, typed).size, concludes=bool(conclusions))


def _sweep_problems(cfg: DictConfig, jobs: int, concludes: bool) -> Iterator[str]:
    """Of the options below ``sweep``."""
    options = cfg.sweep
    if not isinstance(options, DictConfig):
        yield f"sweep={options}: type sweeps={options} for a file, sweep.until=... for an option"
        return
    if options.until not in (GRID, DECIDED):
        yield f"sweep.until={options.until}: type sweep.until={GRID} or sweep.until={DECIDED}"
    if options.until == DECIDED and not concludes:
        yield f"sweep.until={DECIDED}: there are no conclusions to decide; type sweeps=<a study>"
    if not isinstance(options.max_seeds, int) or options.max_seeds < 2:
        yield f"sweep.max_seeds={options.max_seeds}: type a whole number from 2 on"
    if jobs > MANY_JOBS and options.confirm is not True:
        yield f"this sweep has {jobs:,} jobs: if you mean it, type sweep.confirm=true"
