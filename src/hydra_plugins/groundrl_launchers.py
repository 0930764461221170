"""Launchers of several jobs at once that end in a table, whatever becomes of a job.

Hydra takes launchers from this namespace only. Those of ``hydra_joblib_launcher`` and
``hydra_submitit_launcher`` raise when a job was killed; here the others are waited for, and the
sweep reports what is missing. Without these packages the classes do not exist.
"""

from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from itertools import repeat
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn

from groundrl.launch.sweeps.parallel_jobs import end_interrupted, report_killed

if find_spec("hydra_plugins.hydra_joblib_launcher"):
    from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher

    class JoblibJobs(JoblibLauncher):
        """Processes on this machine. Where one is killed, joblib ends them all."""

        def launch(
            self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
        ) -> Sequence[JobReturn]:
            """What the jobs return; nothing where one was killed."""
            try:
                return super().launch(job_overrides, initial_job_idx)
            except BrokenProcessPool as error:
                report_killed(error)
                return []
            except KeyboardInterrupt:
                end_interrupted()


if find_spec("hydra_plugins.hydra_submitit_launcher"):
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import (
        BaseSubmititLauncher,
        LocalLauncher,
        SlurmLauncher,
    )

    class _SubmittedJobs(BaseSubmititLauncher):
        def launch(
            self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
        ) -> Sequence[JobReturn]:
            """What those jobs return that were not killed."""
            import submitit  # here: Hydra imports this module at every start
            from submitit.core.utils import UncompletedJobError

            executor = submitit.AutoExecutor(
                folder=self.params["submitit_folder"], cluster=self._EXECUTOR
            )
            executor.update_parameters(**self._resources())
            numbers = range(initial_job_idx, initial_job_idx + len(job_overrides))
            jobs = executor.map_array(
                self,
                map(list, job_overrides),
                repeat("hydra.sweep.dir"),
                numbers,
                map(str, numbers),
                repeat(Singleton.get_state()),
            )
            returned = []
            try:
                for job in jobs:
                    try:
                        returned.append(job.results()[0])
                    except UncompletedJobError as error:
                        report_killed(error)
            except KeyboardInterrupt:
                for job in jobs:
                    job.cancel()
                end_interrupted()
            return returned

        def _resources(self) -> dict[str, Any]:
            """The parameters as submitit calls them: those of one cluster begin with its name."""
            common = set(BaseQueueConf.__dataclass_fields__)
            return {
                name if name in common else f"{self._EXECUTOR}_{name}": value
                for name, value in self.params.items()
                if name not in ("submitit_folder", "max_num_timeout")
            }

    class SlurmJobs(_SubmittedJobs, SlurmLauncher):
        """Jobs of Slurm."""

    class LocalJobs(_SubmittedJobs, LocalLauncher):
        """Processes on this machine, all at once."""
