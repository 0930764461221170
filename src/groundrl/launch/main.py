"""What the three scripts do: check the command line and the config, build the run, run it."""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from groundrl.errors import UserError, is_disk_full
from groundrl.files import lock_folder
from groundrl.launch.logs import configure_logging, silence_libraries
from groundrl.launch.overrides import explain_overrides
from groundrl.launch.resolved import RESOLVED, check_resume, save_resolved
from groundrl.launch.resolvers import register_resolvers

FIRST_OUTPUT = {
    "train": "checkpoints",
    "evaluate": "predictions.jsonl",
    "synthesize": "images.jsonl",
}
"""Script -> what a run directory holds as soon as a run in it has started."""


def check_command_line(script: str, root: Path) -> None:
    """Exit with one message when an option does not exist; ``root`` holds ``conf/``."""
    try:
        register_resolvers(root)
        explain_overrides(sys.argv[1:], root / "conf", script)
    except UserError as error:
        exit_with(2, str(error))


def main(script: str, cfg: DictConfig) -> None:
    """Check the whole config, then build the run that it describes, then run it."""
    with report_user_errors(cfg):
        run(script, cfg)


def run(script: str, cfg: DictConfig) -> None:
    """``main`` without the handling of errors. Libraries are imported when they are needed."""
    silence_libraries()
    configure_logging()
    if script == "evaluate":
        from groundrl.launch.trained_run import take_run

        take_run(cfg)
    run_dir = prepare_run_dir(cfg, FIRST_OUTPUT[script])
    match script:
        case "train":
            from groundrl.launch.training import build_training

            with lock_run(run_dir):
                text = build_training(cfg, run_dir).run()
        case "evaluate":
            from groundrl.launch.evaluation import build_evaluation

            with lock_run(run_dir):
                text = build_evaluation(cfg, run_dir).run()
        case _:
            return _synthesize(cfg, run_dir)
    if text:
        print(text)


def lock_run(run_dir: Path) -> AbstractContextManager[None]:
    """Lock the folder of a training or an evaluation; its first process holds the lock for all."""
    from groundrl.stages.strategy import is_first_process

    return lock_folder(run_dir) if is_first_process() else nullcontext()


def _synthesize(cfg: DictConfig, run_dir: Path) -> None:
    """Run the synthesis; exit with status 1 and the command to continue when it is unfinished."""
    from groundrl.launch.synthesis import budgets, build_synthesis
    from groundrl.synthesis.output.writing import SKIPPED_FILE

    totals = build_synthesis(cfg, run_dir).run()
    if totals.skipped:
        print(f"{len(totals.skipped)} images are skipped: {run_dir / SKIPPED_FILE}")
    print(run_dir)
    if not totals.unfinished:
        return
    reason, changed = "a model was unreachable", {}
    if (spent := totals.budget_spent) is not None:
        reason = f"the budget is spent, {spent.spent}"
        changed = dict.fromkeys(budgets(cfg, spent.budget), f"<more than {spent.budget}>")
    exit_with(
        1,
        f"{totals.unfinished} images are unfinished: {reason}.\n"
        f"To go on, type\n  {resume_command(cfg, changed)}",
    )


def run_directory(cfg: DictConfig) -> Path:
    """The folder of the run."""
    return Path(cfg.resume or HydraConfig.get().runtime.output_dir)


def prepare_run_dir(cfg: DictConfig, first_output: str) -> Path:
    """Check the config and save it in the run directory, or compare it with the one that is there.

    ``first_output``: see ``FIRST_OUTPUT``.
    """
    from groundrl.config.check import check_config

    check_config(cfg)
    run_dir = run_directory(cfg)
    if cfg.resume or (run_dir / first_output).exists():
        check_resume(cfg, run_dir)
    else:
        save_resolved(cfg, run_dir / RESOLVED)
    return run_dir


@contextmanager
def report_user_errors(cfg: DictConfig) -> Iterator[None]:
    """End the script with one message after a mistake of the user, a full disk or Ctrl-C.

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
    """The command that continues this run, or the multirun that it belongs to, with ``changed``
    values."""
    changed = changed or {}
    flags: list[str] = []
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        typed, place = sys.argv[1:], f"output_dir={HydraConfig.get().sweep.dir}"
    else:
        typed, place = HydraConfig.get().overrides.task, f"resume={run_directory(cfg)}"
        sources = HydraConfig.get().runtime.config_sources
        added = [source.path for source in sources if source.provider == "command-line"]
        flags = [word for path in added for word in ("--config-dir", path)]
    dropped = {"resume", "output_dir", *changed}
    kept = [line for line in typed if line.partition("=")[0].lstrip("+") not in dropped]
    new = [f"{key}={value}" for key, value in changed.items()]
    return shlex.join(["python", sys.argv[0], *flags, *kept, *new, place])


def exit_with(status: int, message: str) -> NoReturn:
    """Write ``message`` to standard error and exit.

    ``status``: 1: unfinished; 2: the user can fix it; 130: the user stopped it.
    """
    sys.stderr.write(f"\n{message}\n")
    sys.exit(status)


def _fail(error: UserError) -> NoReturn:
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        raise error
    exit_with(2, str(error))
