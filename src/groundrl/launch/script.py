"""What scripts share: how a run begins, where it lies, how it ends when it cannot go on."""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from groundrl.config.check import check_config
from groundrl.errors import UserError, is_disk_full
from groundrl.launch.quiet import silence_libraries
from groundrl.launch.resolved import check_resume, save_resolved


def run_directory(cfg: DictConfig) -> Path:
    """Where the run is kept."""
    return Path(cfg.resume or HydraConfig.get().runtime.output_dir)


def prepare_run_dir(cfg: DictConfig, begun: str) -> Path:
    """The run directory of a config that is checked as a whole; it holds ``begun`` once a run in
    it has begun. Nothing heavy is imported before."""
    silence_libraries()
    check_config(cfg)
    run_dir = run_directory(cfg)
    if cfg.resume or (run_dir / begun).exists():
        check_resume(cfg, run_dir)
    else:
        save_resolved(cfg, run_dir / "resolved.yaml")
    return run_dir


@contextmanager
def report_user_errors(cfg: DictConfig) -> Iterator[None]:
    """Ends the script with one message after a mistake of the user, a full disk or Ctrl-C.

    A job of a multirun raises UserError instead: the others go on.
    """
    try:
        yield
    except UserError as error:
        _fail(error)
    except OSError as error:
        if not is_disk_full(error):
            raise
        place = error.filename or run_directory(cfg)
        _fail(
            UserError(
                f"no space left on the disk ({place}): free some, then type\n"
                f"  {resume_command(cfg)}"
            )
        )
    except KeyboardInterrupt as stop:
        if os.environ.get("LOCAL_RANK", "0") != "0":  # the first of several processes says it
            sys.exit(0)
        exit_with(130, f"{str(stop) or 'interrupted'}\nTo go on, type\n  {resume_command(cfg)}")


def resume_command(cfg: DictConfig, changed: Mapping[str, str] | None = None) -> str:
    """The command that goes on with this run, or with the multirun that it belongs to, with
    ``changed`` values."""
    changed = changed or {}
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        typed, place = sys.argv[1:], f"output_dir={HydraConfig.get().sweep.dir}"
    else:
        typed, place = HydraConfig.get().overrides.task, f"resume={run_directory(cfg)}"
    gone = {"resume", "output_dir", *changed}
    kept = [line for line in typed if line.partition("=")[0].lstrip("+") not in gone]
    new = [f"{key}={value}" for key, value in changed.items()]
    return shlex.join(["python", sys.argv[0], *kept, *new, place])


def exit_with(status: int, message: str) -> NoReturn:
    """Say why on standard error; 2 means that the user can fix it, 130 that the user stopped it."""
    print(f"\n{message}", file=sys.stderr)
    sys.exit(status)


def _fail(error: UserError) -> NoReturn:
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        raise error
    exit_with(2, str(error))
