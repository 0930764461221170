"""What surrounds a multirun: readable folders before it, failed jobs and the table after it."""

import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from groundrl.errors import UserError
from groundrl.files import write_text


class SweepReport(Callback):
    """Names the runs, lets the sweep go on past failed jobs, and writes one table (Hydra calls)."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Name runs after what varies; what is typed replaces what a sweep file says of it."""
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
            told = text = f"{error}\n"
        else:
            told = f"{type(error).__name__}: {error}\n"
            text = told + "".join(traceback.format_exception(error))
        write_text(note, text)
        print(f"\n{folder} failed: {told}", file=sys.stderr)
        # Or the sweeper would raise the first failure before there is a table.
        job_return.status, job_return._return_value = JobStatus.COMPLETED, None

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print and write the table of all jobs; exit status 1 when one of them failed."""
        # Drawing is loaded now: --help and --cfg need none of it.
        from groundrl.report.sweep import (
            change_table,
            failures,
            find_runs,
            sweep_table,
            write_sweep,
        )
        from groundrl.report.tables import to_text

        root = Path(config.hydra.sweep.dir)
        published = OmegaConf.to_container(config.published) if "published" in config else None
        assert published is None or isinstance(published, Mapping)
        markdown, page = write_sweep(root, published, title=root.name)
        runs = find_runs(root)
        print(to_text(sweep_table(root, published)))
        if (change := change_table(runs)).rows:
            print(f"\n{to_text(change)}")
        failed = failures(runs)
        if failed.rows:
            listed = "\n".join(f"{run}: {error}" for run, _, error in failed.rows)
            print(f"\n{len(failed.rows)} of {len(runs)} jobs failed:\n{listed}", file=sys.stderr)
        print(f"\n{markdown}\n{page}\n{root}")
        if failed.rows:
            sys.exit(1)


def typed_key(override: Override) -> str:
    """As it is typed: ``reward/term@reward.terms.giou``."""
    return override.get_key_element().lstrip("+~")


def root_cause(error: BaseException) -> BaseException:
    """The error that building an object met, without Hydra's wrapping."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    return error
