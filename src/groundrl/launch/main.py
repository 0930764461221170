"""What the three scripts do: check the command line and the config, build the run, run it."""

import logging
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from groundrl.errors import UserError, describe_machine_problem
from groundrl.launch.exits import ScriptEnd, end_before_the_run, exit_with
from groundrl.launch.going_on import FIRST_OUTPUT, how_to_go_on, run_directory
from groundrl.launch.logs import configure_logging, silence_libraries
from groundrl.launch.overrides import explain_overrides, quote_value
from groundrl.launch.requeue import requeue_job
from groundrl.launch.resolved import RESOLVED, check_resume, save_resolved
from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.sweeps.grid import jobs_left
from groundrl.launch.sweeps.parallel_jobs import FINISHED, runs_in_turn
from groundrl.running.launched import (
    how_machines_meet,
    launched,
    process_number,
    runs_alone,
)
from groundrl.running.locks import LOCK, lock_folder
from groundrl.running.stopping import Stopped, handle_signals, stop

logger = logging.getLogger(__name__)


def check_command_line(script: str, root: Path) -> None:
    """Exit with one message when an option does not exist; ``root`` holds ``conf/``. Until ``main``
    begins, Ctrl-C ends in one line; Hydra would print where it was reading."""
    if (
        signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    ):  # as shells set it for background jobs
        signal.signal(signal.SIGINT, end_before_the_run)
    try:
        register_resolvers(root)
        sys.argv[1:] = map(quote_value, sys.argv[1:])
        explain_overrides(sys.argv[1:], root / "conf", script)
    except UserError as error:
        exit_with(2, str(error) if speaks(script != "synthesize") else "")


def main(script: str, cfg: DictConfig) -> None:
    """Check the whole config, then build the run that it describes, then run it."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with report_user_errors(cfg):
            run(script, cfg)
    finally:
        if before is not end_before_the_run:  # it is that of a multirun, between its jobs
            signal.signal(signal.SIGINT, before)
        with suppress(OSError):  # a folder that Hydra has made and that holds nothing
            Path(HydraConfig.get().runtime.output_dir).rmdir()


@contextmanager
def unused_folder_removed(cfg: DictConfig, run_dir: Path) -> Iterator[None]:
    """Afterwards, remove what was saved for a run that has not begun."""
    try:
        yield
    finally:
        unused = {path.name for path in run_dir.iterdir()} <= {RESOLVED, LOCK}
        if unused and not number_in_run(cfg) and not in_multirun():
            for path in run_dir.iterdir():
                path.unlink()


def run(script: str, cfg: DictConfig) -> None:
    """``main`` without the handling of errors. Libraries are imported when they are needed."""
    silence_libraries()
    configure_logging()
    if script == "evaluate":
        from groundrl.launch.trained_run import take_run

        take_run(cfg)
    from groundrl.config.check import check_config

    check_config(cfg)
    with processes_of(cfg):
        run_script(script, cfg)


def processes_of(cfg: DictConfig) -> AbstractContextManager[None]:
    """Inside, the processes of all devices run the script, connected."""
    if runs_alone(cfg.get("trainer", {})):
        return nullcontext()
    if (meeting := how_machines_meet(cfg.trainer)) is not None:
        logger.info(meeting)
    from groundrl.launch.training import make_trainer
    from groundrl.stages.processes import connected

    return connected(make_trainer(cfg.trainer), how_to_go_on(cfg, begun=True))


def run_script(script: str, cfg: DictConfig) -> None:
    """What ``run`` does in each of its processes."""
    run_dir = shared_directory(cfg)
    with lock_run(run_dir, number_in_run(cfg)), unused_folder_removed(cfg, run_dir):
        keep_config(script, cfg, run_dir)
        if in_multirun() and (run_dir / FINISHED).exists():
            logger.info("%s is finished", run_dir)
            return
        match script:
            case "train":
                from groundrl.launch.training import build_training

                text = build_training(cfg, run_dir).run()
            case "evaluate":
                from groundrl.launch.evaluation import build_evaluation

                text = build_evaluation(cfg, run_dir).run()
            case _:
                return _synthesize(cfg, run_dir)
    if text:
        print(text)


def in_multirun() -> bool:
    """Whether this is a job of a multirun; code that calls ``run`` is none."""
    return HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN


def number_in_run(cfg: DictConfig) -> int:
    """The number of this process among those of its run, from 0."""
    if runs_alone(cfg.get("trainer", {})):
        return 0
    from groundrl.running.parallel import rank, world_size

    return rank() if world_size() > 1 else process_number()


def lock_run(run_dir: Path, number: int = 0) -> AbstractContextManager[None]:
    """Lock the folder of a run; process ``number`` 0 holds the lock for all."""
    return nullcontext() if number else lock_folder(run_dir)


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
        f"{totals.unfinished} images are unfinished: {reason}.\n{how_to_go_on(cfg, changed)}",
    )


def shared_directory(cfg: DictConfig) -> Path:
    """The folder of the run: in each of its processes that of the first one."""
    own = run_directory(cfg)
    if runs_alone(cfg.get("trainer", {})):
        return own
    from groundrl.running.parallel import from_first

    first = from_first(lambda: own)
    if own != first:  # Hydra has made a folder with the time at which this process started
        with suppress(OSError):
            own.rmdir()
    return first


def keep_config(script: str, cfg: DictConfig, run_dir: Path) -> None:
    """Save the config in the run directory, or compare it with that of the run that is there; the
    first of several processes does.

    Raises UserError where that run is another one.
    """
    if number_in_run(cfg):
        return None
    if cfg.resume or (run_dir / FIRST_OUTPUT[script]).exists():
        return check_resume(cfg, run_dir)
    for other, first_output in FIRST_OUTPUT.items():
        if (run_dir / first_output).exists():
            raise UserError(
                f"{run_dir} holds a run of {other}.py: type output_dir=<another folder>"
            )
    save_resolved(cfg, run_dir / RESOLVED)


@contextmanager
def report_user_errors(cfg: DictConfig) -> Iterator[None]:
    """End the script with one message after a mistake of the user, where the machine lacks space,
    permission or file handles, after Ctrl-C or another signal that asks it to stop, and where code
    from outside ends the process.

    A job of a multirun raises UserError instead, signals aside: the others go on.
    """
    try:
        with handle_signals((signal.SIGTERM, signal.SIGUSR1), stop):
            yield
    except UserError as error:
        _fail(error, cfg)
    except OSError as error:
        problem = describe_machine_problem(error, run_directory(cfg))
        if problem is None:
            raise
        _fail(UserError(f"{problem}. {how_to_go_on(cfg)}"), cfg)
    except ScriptEnd:
        raise
    except SystemExit as end:
        last = traceback.extract_tb(end.__traceback__)[-1]
        _fail(
            UserError(
                f"{last.filename}:{last.lineno} ({last.name}) ended the run by sys.exit({end.code})"
                f": raise an exception there instead. {how_to_go_on(cfg)}"
            ),
            cfg,
        )
    except KeyboardInterrupt as stopped:
        if number_in_run(cfg):  # the first of several processes says it
            sys.exit(0)
        number = stopped.number if isinstance(stopped, Stopped) else signal.SIGINT
        lines = [str(stopped) or "interrupted"]
        if HydraConfig.get().mode is RunMode.MULTIRUN and runs_in_turn(HydraConfig.get().launcher):
            left = jobs_left()
            lines += [f"{len(left)} jobs are left, this one first: {', '.join(left)}"]
        if cfg.requeue and number != signal.SIGINT:
            lines.append(requeue_job())
        exit_with(128 + number, "\n".join([*lines, how_to_go_on(cfg)]))


def speaks(several: bool) -> bool:
    """Whether this process tells a mistake; ``several`` that torchrun or Slurm started for one run
    all find the same one before they are connected."""
    return not several or launched() is None or not process_number()


def _fail(error: UserError, cfg: DictConfig) -> NoReturn:
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        raise error
    exit_with(2, str(error) if speaks("trainer" in cfg) else "")
