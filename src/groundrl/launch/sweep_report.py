"""Around a multirun: the names of its folders, the notes of failed jobs, the table at its end."""

import logging
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

from groundrl.errors import UserError
from groundrl.files import write_text
from groundrl.launch.grid import Grid, parse_options, typed_key
from groundrl.launch.logs import configure_logging
from groundrl.launch.overrides import hydra_flags
from groundrl.launch.study import conclusions_of, published_figures

logger = logging.getLogger(__name__)


class SweepReport(Callback):
    """Hydra's callback: names the runs, continues after failed jobs, and writes one table."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Name runs after what varies; a typed option replaces that of a sweep file."""
        configure_logging()
        typed = parse_options(config.hydra.overrides.task)
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

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Leave ``error.txt`` where a job of a multirun failed; the sweep goes on."""
        if config.hydra.mode is not RunMode.MULTIRUN:
            return
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
        from groundrl.studies.report import report_sweep  # here: --help and --cfg draw nothing

        width = shutil.get_terminal_size((100, 24)).columns
        root, published = Path(config.hydra.sweep.dir), published_figures(config)
        summary = report_sweep(root, published, conclusions_of(config), width)
        if failed := summary.failed.rows:
            listed = "\n".join(f"{run}: {error}" for run, _, error in failed)
            logger.error("\n%d of %d jobs failed:\n%s\n", len(failed), summary.jobs, listed)
        logger.info("\n%s", summary.text)
        if failed:
            sys.exit(1)


def jobs_left() -> list[str]:
    """The names of the multirun's jobs from the current one on."""
    hydra = HydraConfig.get()
    words = hydra_flags().parse_known_args(sys.argv[1:])[0].overrides
    grid = Grid.of(hydra.sweeper.get("params") or {}, parse_options(words))
    return grid.names()[hydra.job.num :]


def root_cause(error: BaseException) -> BaseException:
    """The error of the constructor, without the errors in which Hydra wraps it."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    return error
