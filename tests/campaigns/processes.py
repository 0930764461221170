"""Processes that run commands and get signals. Most are forked from this one, which has imported
the libraries; ``fresh`` ones are started as a user starts them."""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scripts import ROOT, environment, run_here

PATIENCE: Final = 900.0
"""Seconds after which a command counts as hanging."""
TICKS: Final = os.sysconf("SC_CLK_TCK")
"""Of the kernel's accounting, a second."""


@dataclass(slots=True)
class Process:
    """A command in a process group of its own."""

    pid: int
    told: Path
    """Its standard output and error."""
    status: int | None = field(default=None)
    """As ``subprocess`` has it: negative for a signal."""
    used: float = 0.0
    """Seconds of the processor, once it has ended."""

    def poll(self) -> int | None:
        """The status once it has ended."""
        if self.status is None:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                self.used = used.ru_utime + used.ru_stime
        return self.status

    def finish(self) -> tuple[int, str]:
        """Status and what it said; a command that hangs is killed."""
        deadline = time.monotonic() + PATIENCE
        while (status := self.poll()) is None:
            time.sleep(0.02)
            if time.monotonic() > deadline:
                self.send(signal.SIGKILL)
                deadline += PATIENCE
        told = self.told.read_text(errors="replace")
        self.told.unlink()
        return status, told

    def send(self, number: signal.Signals, group: bool = True) -> None:
        """A signal to all of its group, or to it alone."""
        (os.killpg if group else os.kill)(self.pid, number)

    def cpu_seconds(self) -> float:
        """Time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def start(
    command: Sequence[str],
    changed: Mapping[str, str] | None = None,
    handles: int | None = None,
    fresh: bool = False,
) -> Process:
    """A script with its arguments. ``handles``: how many files it may have open."""
    handle, name = tempfile.mkstemp(prefix="told-")
    settings = environment(**(changed or {}))
    if fresh:
        child = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=settings,
            stdout=handle,
            stderr=handle,
            start_new_session=True,
        )
        pid, child.returncode = child.pid, 0  # it is waited for here, not there
    elif (pid := os.fork()) == 0:
        _run(command, settings, handles, handle)
    os.close(handle)
    return Process(pid, Path(name))


def run(command: Sequence[str], **options: object) -> tuple[int, str]:
    """Status and what the command said."""
    return start(command, **options).finish()  # pyright: ignore[reportArgumentType]


def _run(
    command: Sequence[str], settings: Mapping[str, str], handles: int | None, told: int
) -> None:
    """The forked process; it never returns."""
    os.setsid()
    os.chdir(ROOT)
    os.environ.update(settings)
    for descriptor in (1, 2):
        os.dup2(told, descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if handles is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (handles, handles))
    status = 1
    try:
        run_here(command)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    # As the interpreter does at its end.
    except KeyboardInterrupt:
        traceback.print_exc()
        status = 128 + signal.SIGINT
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
