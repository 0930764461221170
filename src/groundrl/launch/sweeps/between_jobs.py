"""What a multirun does between its jobs, where they run one after the other in its process."""

import os
import shlex
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from groundrl.launch.exits import exit_with
from groundrl.launch.requeue import requeue_job
from groundrl.launch.sweeps.parallel_jobs import SweepProgress
from groundrl.running.stopping import STOP_SIGNALS


@dataclass(frozen=True, slots=True, kw_only=True)
class StopBetweenJobs:
    """Ends a multirun after a signal with one message; a job that runs has handlers of its own."""

    root: Path
    """The folder of the multirun."""
    progress: SweepProgress
    requeue: bool
    """Put Slurm's job back into its queue."""

    def catch_signals(self) -> None:
        """From here on, except where a job handles them itself."""
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> NoReturn:
        lines = [f"stopped by {signal.Signals(number).name} between two jobs"]
        if left := [os.path.relpath(folder, self.root) for folder in self.progress.left()]:
            lines.append(f"{len(left)} jobs are left, this one first: {', '.join(left)}")
        if self.requeue and number != signal.SIGINT:
            lines.append(requeue_job())
        command = shlex.join(typed_again({"output_dir": str(self.root)}))
        exit_with(128 + number, "\n".join([*lines, "To go on, type", f"  python {command}"]))


def typed_again(changed: Mapping[str, str]) -> list[str]:
    """The words of this command line with other values of some options."""
    kept = [word for word in sys.argv if word.partition("=")[0].lstrip("+") not in changed]
    return [*kept, *(f"{key}={value}" for key, value in changed.items())]
