"""The folder of a run, and the command that goes on with what it holds."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from groundrl.errors import UserError
from groundrl.launch.resolved import RESOLVED, no_run
from groundrl.running.launched import how_started

FIRST_OUTPUT = {
    "train": "checkpoints",
    "evaluate": "predictions.jsonl",
    "synthesize": ".synthesis",
}
"""Script -> what a run directory holds as soon as a run in it has started."""


def run_directory(cfg: DictConfig) -> Path:
    """The folder of the run. Raises UserError where ``resume=`` names none."""
    if cfg.resume and not (Path(cfg.resume) / RESOLVED).is_file():
        raise UserError(no_run(cfg.resume))
    return Path(cfg.resume or HydraConfig.get().runtime.output_dir)


def has_begun(run_dir: Path) -> bool:
    """Whether a run has written anything there that goes on."""
    return any((run_dir / name).exists() for name in FIRST_OUTPUT.values())


def how_to_go_on(
    cfg: DictConfig, changed: Mapping[str, str] | None = None, begun: bool = False
) -> str:
    """``To go on, type``, and the command that continues this run, or the multirun that it belongs
    to, with ``changed`` values; what is not known is said in words. ``begun``: it will have."""
    known, start = resume_command(cfg, changed or {}, begun), how_started(cfg.get("trainer", {}))
    return f"To go on, type{start.words}\n  {shlex.join([*start.command, *known])}"


def resume_command(cfg: DictConfig, changed: Mapping[str, str], begun: bool) -> list[str]:
    """The script and its options, without the program that starts it; those that were typed, where
    the run has not begun."""
    flags: list[str] = []
    dropped = {"resume", "output_dir", *changed}
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        typed, place = sys.argv[1:], [f"output_dir={HydraConfig.get().sweep.dir}"]
    else:
        typed, run_dir = HydraConfig.get().overrides.task, run_directory(cfg)
        place = [f"resume={run_dir}"]
        if not (begun or has_begun(run_dir)):
            dropped, place = {*changed}, []
        sources = HydraConfig.get().runtime.config_sources
        added = [source.path for source in sources if source.provider == "command-line"]
        flags = [word for path in added for word in ("--config-dir", path)]
    kept = [line for line in typed if line.partition("=")[0].lstrip("+") not in dropped]
    new = [f"{key}={value}" for key, value in changed.items()]
    return [sys.argv[0], *flags, *kept, *new, *place]
