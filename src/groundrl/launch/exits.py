"""How a script ends early: one message and its status."""

import os
import signal
import sys
from typing import NoReturn


class ScriptEnd(SystemExit):
    """Raised by ``exit_with``, and nowhere else."""


def exit_with(status: int, message: str) -> NoReturn:
    """Write ``message`` to standard error and exit.

    ``status``: 1: unfinished; 2: the user can fix it; 128 + a signal's number: stopped by it (130:
    Ctrl-C, 143: SIGTERM). An empty message: another process tells it.
    """
    if message:
        sys.stderr.write(f"\n{message}\n")
    raise ScriptEnd(status)


def end_before_the_run(*_: object) -> NoReturn:
    """What Ctrl-C does while the command line is read: nothing has been started yet."""
    os.write(2, b"interrupted before the run: type the same command again\n")
    os._exit(128 + signal.SIGINT)
