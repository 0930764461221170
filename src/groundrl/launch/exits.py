"""How a script ends early: one message and its status."""

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
