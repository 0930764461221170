"""Around a multirun: the names of its folders, the notes of failed jobs, the table at its end."""

import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from groundrl.errors import UserError
from groundrl.files import write_text
from groundrl.launch.logs import configure_logging
from groundrl.launch.overrides import hydra_flags
from groundrl.launch.parallel_jobs import JobLog, SweepProgress, take_gpu
from groundrl.launch.resolvers import register_resolvers, run_name

logger = logging.getLogger(__name__)


class SweepReport(Callback):
    """Hydra's callback: names the runs, continues after failed jobs, and writes one table.

    A launcher of parallel jobs sends a copy to the process of each of them.
    """

    def __init__(self, root: str) -> None:
        """``root``: the folder that holds ``conf/``."""
        self.root = root
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
        """Name runs after what varies; a typed option replaces that of a sweep file."""
        configure_logging()
        typed = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
        params = config.hydra.sweeper.params or {}
        with open_dict(config):
            for key in {override.key_or_group for override in typed}.intersection(params):
                # Hydra would multiply the two: every job several times, in the same folder.
                params.pop(key)
            varied = [*params, *(typed_key(o) for o in typed if o.is_sweep_override())]
            names = ",".join(f'"{key}"' for key in varied)
            # Jobs are composed anew, with the overrides of Hydra's own settings that stand here.
            config.hydra.overrides.hydra.append(
                f"hydra.sweep.subdir='${{run_name:${{hydra:overrides.task}},[{names}]}}'"
            )
        jobs = job_names(params, typed)
        self._progress = SweepProgress([Path(config.hydra.sweep.dir) / job for job in jobs])
        if not runs_in_turn(config.hydra.launcher):
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
        """Print and write the table of all jobs; exit status 1 when one of them failed."""
        # Imported here: --help and --cfg draw nothing.
        from groundrl.report.sweep import (
            change_table,
            failures,
            find_runs,
            sweep_table,
            write_sweep,
        )
        from groundrl.report.tables import to_text

        assert self._progress is not None
        self._progress.close()
        if left := self._progress.left():
            names = ", ".join(os.path.relpath(one, config.hydra.sweep.dir) for one in left)
            logger.error(
                "\n%d jobs have not ended, type the same command again: %s", len(left), names
            )
        root = Path(config.hydra.sweep.dir)
        published = OmegaConf.to_container(config.published) if "published" in config else None
        assert published is None or isinstance(published, Mapping)
        markdown, page = write_sweep(root, published, title=root.name)
        runs = find_runs(root)
        logger.info(to_text(sweep_table(root, published)))
        if (change := change_table(runs)).rows:
            logger.info("\n%s", to_text(change))
        failed = failures(runs)
        if failed.rows:
            listed = "\n".join(f"{run}: {error}" for run, _, error in failed.rows)
            logger.error("\n%d of %d jobs failed:\n%s", len(failed.rows), len(runs), listed)
        logger.info("\n%s\n%s\n%s", markdown, page, root)
        if failed.rows or left:
            sys.exit(1)


def jobs_left() -> list[str]:
    """The names of the multirun's jobs from the current one on."""
    hydra = HydraConfig.get()
    parser = OverridesParser.create()
    typed = parser.parse_overrides(hydra_flags().parse_known_args(sys.argv[1:])[0].overrides)
    keys = {override.key_or_group for override in typed}
    params = {k: v for k, v in (hydra.sweeper.get("params") or {}).items() if k not in keys}
    return job_names(params, typed)[hydra.job.num :]


def job_names(params: Mapping[Any, Any], typed: Sequence[Override]) -> list[str]:
    """The names of a multirun's jobs, in their order. ``params``: the grid of a sweep file."""
    parser = OverridesParser.create()
    swept = [*parser.parse_overrides([f"{k}={v}" for k, v in params.items()]), *typed]
    varied = [*params, *(typed_key(o) for o in typed if o.is_sweep_override())]
    # As Hydra's own sweeper orders them; an option that is typed twice counts once.
    values = {override.get_key_element(): job_options(override) for override in swept}
    return [run_name(job, varied) for job in product(*values.values())]


def runs_in_turn(launcher: DictConfig) -> bool:
    """Whether the jobs of a multirun run one after the other, in this process."""
    return str(launcher._target_).endswith(".BasicLauncher")


def job_options(override: Override) -> list[str]:
    """The option as each job gets it: ``["seed=0", "seed=1"]``."""
    if override.is_sweep_override():
        key = override.get_key_element()
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [str(override.input_line)]


def typed_key(override: Override) -> str:
    """The option as it is typed: ``reward/term@reward.terms.giou``."""
    return override.get_key_element().lstrip("+~")


def root_cause(error: BaseException) -> BaseException:
    """The error of the constructor, without the errors in which Hydra wraps it."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    return error
