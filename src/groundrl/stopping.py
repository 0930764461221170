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

LAST_SECONDS: Final = 30
"""A forked worker goes on for so long after SIGTERM; schedulers wait about as long for a job."""

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

    A scheduler sends them to every process of a job. Forked workers, whose data the step under way
    needs, do not end with them at once: they end with this process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:
            handler(number, frame)
        elif number == signal.SIGTERM:
            signal.alarm(LAST_SECONDS)

    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler_before in previous.items():
            signal.signal(number, handler_before)
