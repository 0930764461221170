"""Processes that run commands. Most are forked from one that has imported the libraries already,
which saves more than half of their time; ``fresh`` ones are started as a user starts them."""

import gc
import importlib
import os
import resource
import runpy
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

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 900.0
"""Seconds after which a command counts as hanging."""
TICKS: Final = os.sysconf("SC_CLK_TCK")
"""Of the kernel's accounting, a second."""
LIBRARIES: Final = (
    *("groundrl.launch.training", "groundrl.launch.evaluation", "groundrl.launch.synthesis"),
    *("groundrl.policy.load", "groundrl.stages.grpo", "groundrl.stages.rejection_sampling"),
    *("groundrl.launch.trained_run", "transformers.models.qwen3_vl.modeling_qwen3_vl"),
    *("torchvision", "torch._dynamo", "lightning.pytorch", "hydra.main"),
)


def warm_up() -> None:
    """Import what commands need."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


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
    environment: Mapping[str, str] | None = None,
    handles: int | None = None,
    fresh: bool = False,
) -> Process:
    """A script with its arguments. ``handles``: how many files it may have open."""
    handle, name = tempfile.mkstemp(prefix="told-")
    settings = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src"), **(environment or {})}
    if fresh:
        child = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | settings,
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
        sys.argv = [*command]
        runpy.run_path(command[0], run_name="__main__")
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
