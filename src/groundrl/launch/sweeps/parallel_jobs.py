"""Jobs of a multirun at the same time: a GPU and a log for each, one line for all."""

import fcntl
import logging
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NoReturn

from omegaconf import DictConfig

from groundrl.running.progress import ProgressLine

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 2.0
LOG = "log.txt"
"""In the folder of a job: what it would write to the screen if it ran alone."""
FINISHED, FAILED = "metrics.json", "error.txt"
"""Files of a job's folder that appear when it has ended."""
_taken: list[IO[str]] = []
"""The lock of this process's GPU, held until the process ends."""


def runs_in_turn(launcher: DictConfig) -> bool:
    """Whether the jobs of a multirun run one after the other, in this process."""
    return str(launcher._target_).endswith(".BasicLauncher")


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if re.fullmatch(r"\s*\w[^,]*", name)]
    import torch  # here: it takes seconds

    return [str(index) for index in range(torch.cuda.device_count())]


def job_slots() -> int:
    """How many jobs run at once on this machine: one for each GPU, else one for two cores."""
    return len(visible_gpus()) or max(1, cores() // 2)


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def take_gpu() -> None:
    """Leave this process one GPU that no other job of this user has, until it ends; waits for one.

    Does nothing where it sees less than two. Called before CUDA is used.
    """
    gpus = visible_gpus()
    if len(gpus) < 2 or _taken:
        return
    folder = Path(tempfile.gettempdir()) / f"groundrl-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    while True:
        for gpu in gpus:
            file = (folder / re.sub(r"\W", "-", gpu)).open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            _taken.append(file)
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu
            return
        time.sleep(SECONDS_BETWEEN_LOOKS)


class JobLog:
    """Sends what this process writes to the screen into a file, also what libraries write."""

    def __init__(self, folder: Path) -> None:
        """Appends to ``LOG`` in ``folder`` from now on."""
        file = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._flush()
        self._screen = [os.dup(1), os.dup(2)]
        for number in (1, 2):
            os.dup2(file, number)
        os.close(file)

    def close(self) -> None:
        """Write to the screen again."""
        self._flush()
        for number, screen in zip((1, 2), self._screen, strict=True):
            os.dup2(screen, number)
            os.close(screen)

    @staticmethod
    def _flush() -> None:
        sys.stdout.flush()
        sys.stderr.flush()


class SweepProgress:
    """The progress of a multirun in one line: jobs that ended, and the time that the rest takes.

    Jobs that were finished before it started count as done, and their time does not.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        """``folders``: of all jobs."""
        self.folders = folders
        self._start = time.time()
        self._line = ProgressLine(len(folders), "jobs", first_step=self.ended())
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def ended(self) -> int:
        """Jobs that are finished, or that failed since the start."""
        return len(self.folders) - len(self.left())

    def left(self) -> list[Path]:
        """The folders of the other jobs."""
        return [folder for folder in self.folders if not self._has_ended(folder)]

    def show(self, *figures: str) -> None:
        """Draw the line, as far as it is due."""
        self._line.update(self.ended(), figures)

    def end_line(self) -> None:
        """What others write comes on a line of its own."""
        self._line.close()

    def watch(self) -> None:
        """Draw the line now and then, until ``close``."""
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """The last state, and the end of watching."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self.show()
            self.end_line()

    def _watch(self) -> None:
        # The last state is left to ``close``: in a log each drawing of it would be a line.
        while not self._stop.wait(SECONDS_BETWEEN_LOOKS) and self.ended() < len(self.folders):
            self.show()

    def _has_ended(self, folder: Path) -> bool:
        if (folder / FINISHED).exists():
            return True
        try:
            return (folder / FAILED).stat().st_mtime >= self._start
        except FileNotFoundError:
            return False


def report_killed(error: Exception) -> None:
    """Log that a job ended without a message: out of memory, or killed from outside."""
    first = str(error).strip().splitlines()[:1]
    logger.error(
        "\na job was killed, perhaps because memory ran out (%s). Type the same command again: "
        "finished jobs are skipped",
        *(first or [type(error).__name__]),
    )


def end_interrupted() -> NoReturn:
    """Exit after Ctrl-C in the process that waits for the jobs."""
    sys.stderr.write("\ninterrupted. To go on, type the same command with its output_dir again\n")
    raise SystemExit(130)
