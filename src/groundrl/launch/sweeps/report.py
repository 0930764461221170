"""Around a multirun: the names of its folders, the notes of failed jobs, the table at its end."""

import logging
import os
import shutil
import sys
import traceback
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

from groundrl.errors import UserError
from groundrl.files import write_text
from groundrl.launch.exits import exit_with
from groundrl.launch.logs import configure_logging
from groundrl.launch.make import root_cause
from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.sweeps.between_jobs import StopBetweenJobs, typed_again
from groundrl.launch.sweeps.grid import Grid, parse_options
from groundrl.launch.sweeps.parallel_jobs import JobLog, SweepProgress, runs_in_turn, take_gpu
from groundrl.launch.sweeps.study import DECIDED, conclusions_of, published_figures, rankings_of
from groundrl.report.runs import split_seed
from groundrl.running.locks import lock_folder

if TYPE_CHECKING:
    from groundrl.studies.report import SweepSummary

logger = logging.getLogger(__name__)

sweep_lock = ExitStack()
"""On the folder of the sweep, from its start to its end; not in the callback, which launchers
pickle."""


class SweepReport(Callback):
    """Hydra's callback: names the runs, continues after failed jobs, and writes one table.

    A launcher of parallel jobs sends a copy to the process of each of them.
    """

    def __init__(self, root: str) -> None:
        """``root``: the folder that holds ``conf/``."""
        self.root = root
        self.seeds = frozenset[str]()
        """Of the jobs of this multirun."""
        self._elsewhere = False
        self._progress: SweepProgress | None = None
        self._log: JobLog | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "argv": sys.argv}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In the process of a job, before its config is composed."""
        SweepReport.__init__(self, state["root"])
        self._elsewhere = True
        sys.argv = state["argv"]  # for messages that say what to type
        register_resolvers(Path(self.root))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Lock the folder; name runs after what varies; a typed option replaces that of a sweep
        file."""
        configure_logging()
        root = Path(config.hydra.sweep.dir)
        root.mkdir(parents=True, exist_ok=True)
        try:
            sweep_lock.enter_context(lock_folder(root))
        except UserError as error:  # Hydra would turn it into a warning
            exit_with(2, str(error))
        typed = parse_options(config.hydra.overrides.task)
        params = config.hydra.sweeper.params or {}
        grid = Grid.of(params, typed)
        self.seeds = frozenset(split_seed(name)[1] for name in grid.names())
        with open_dict(config):
            for key in {override.key_or_group for override in typed}.intersection(params):
                # Hydra would multiply the two: every job several times, in the same folder.
                params.pop(key)
            names = ",".join(f'"{key}"' for key in grid.varied)
            # Jobs are composed anew, with the overrides of Hydra's own settings that stand here.
            config.hydra.overrides.hydra.append(
                f"hydra.sweep.subdir='${{run_name:${{hydra:overrides.task}},[{names}]}}'"
            )
        self._progress = SweepProgress([root / job for job in grid.names()])
        if runs_in_turn(config.hydra.launcher):
            requeue = bool(config.get("requeue"))
            StopBetweenJobs(root=root, progress=self._progress, requeue=requeue).catch_signals()
        else:
            self._progress.watch()

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Show how far the multirun is; in a process of its own a job has a GPU and a log."""
        folder = Path(config.hydra.runtime.output_dir)
        if self._elsewhere:
            self._log = JobLog(folder)
            take_gpu()
        elif self._progress is not None:
            self._progress.show(os.path.relpath(folder, config.hydra.sweep.dir))
            self._progress.end_line()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Leave ``error.txt`` where a job of a multirun failed; the sweep goes on."""
        if config.hydra.mode is not RunMode.MULTIRUN:
            return
        if self._log is not None:
            self._log.close()
            self._log = None
        folder = Path(job_return.hydra_cfg.hydra.runtime.output_dir)  # pyright: ignore
        note = folder / "error.txt"
        note.unlink(missing_ok=True)
        if job_return.status is JobStatus.COMPLETED:
            return
        # Hydra keeps the exception in a field whose public getter raises it.
        error = root_cause(job_return._return_value)
        if isinstance(error, UserError):
            message = text = f"{error}\n"
        else:
            message = f"{type(error).__name__}: {error}\n"
            text = message + "".join(traceback.format_exception(error))
        write_text(note, text)
        logger.error("\n%s failed: %s", folder, message)
        # Or the sweeper would raise the first failure before there is a table.
        job_return.status, job_return._return_value = JobStatus.COMPLETED, None

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print and write the table of all jobs; exit status 1 when one of them failed.

        With ``sweep.until=decided`` another seed may be run then: see ``next_seed``.
        """
        from groundrl.studies.report import report_sweep  # here: --help and --cfg draw nothing

        assert self._progress is not None
        self._progress.close()
        if left := self._progress.left():
            names = ", ".join(os.path.relpath(one, config.hydra.sweep.dir) for one in left)
            logger.error(
                "\n%d jobs have not ended, type the same command again: %s", len(left), names
            )
        width = shutil.get_terminal_size((100, 24)).columns
        root, published = Path(config.hydra.sweep.dir), published_figures(config)
        try:
            rankings = rankings_of(config)
            summary = report_sweep(root, published, conclusions_of(config), width, rankings)
        except UserError as error:  # as above
            exit_with(2, str(error))
        if failed := summary.failed.rows:
            listed = "\n".join(f"{run}: {error}" for run, _, error in failed)
            logger.error("\n%d of %d jobs failed:\n%s\n", len(failed), len(summary.runs), listed)
        logger.info("\n%s", summary.text)
        sweep_lock.close()
        if config.sweep.until == DECIDED:
            seed = next_seed(summary, self.seeds, config.sweep.max_seeds)
            if seed is not None:
                logger.info("\nConclusions are undecided: seed %d is run, too\n", seed)
                run_seed(seed, root)
        if failed or left:
            sys.exit(1)


def next_seed(summary: "SweepSummary", done: Collection[str], max_seeds: int) -> int | None:
    """The seed to run after those of ``done``: one that was stopped before it was finished, or a
    new one while a conclusion is undecided. None where a job of ``done`` failed, and where each
    setting has ``max_seeds``."""
    seeds = {run.seed for run in summary.runs if run.seed.isdecimal()}
    failed = {run.seed for run in summary.runs if run.metrics is None}
    if failed.intersection(done) or not seeds:
        return None
    if stopped := seeds.intersection(failed):
        return min(map(int, stopped))
    undecided = any(verdict.result == "undecided" for verdict in summary.verdicts)
    return max(map(int, seeds)) + 1 if undecided and len(seeds) < max_seeds else None


def run_seed(seed: int, root: Path) -> NoReturn:
    """Run the same command with another seed, in this process: signals and Slurm's job stay its."""
    words = typed_again({"seed": str(seed), "output_dir": str(root)})
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *words])
