"""Signals that ask a run to stop.

SIGINT: Ctrl-C. SIGTERM: ``kill``, and what schedulers and container engines send before they kill.
SIGUSR1: the warning before the end of a job's time that Slurm sends with ``--signal=USR1@120``.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
Handler = Callable[[int, FrameType | None], None]


class Stopped(KeyboardInterrupt):
    """A signal asked the run to stop; the message says what is saved."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number
        """Of the signal."""


def stop(number: int, frame: FrameType | None) -> None:
    """The handler that raises ``Stopped`` wherever the program is."""
    raise Stopped(f"stopped by {signal.Signals(number).name}", number)


@contextmanager
def handle_signals(numbers: tuple[signal.Signals, ...], handler: Handler) -> Iterator[None]:
    """Inside the block ``handler`` gets these signals; does nothing outside the main thread.

    In a forked process they mean what they mean anywhere; Ctrl-C, which a terminal sends to all
    processes, is left to this one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:
            handler(number, frame)
        elif number != signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler_before in previous.items():
            signal.signal(number, handler_before)


def outlive_signals() -> None:
    """Called in a worker process: it ends with its parent, or when the parent ends it.

    Terminals and schedulers send signals to every process of a job, and the parent still needs the
    worker for the step under way.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # a handler would not learn who sent it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_wait_for_parent, args=(os.getppid(),), daemon=True).start()


def _wait_for_parent(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
