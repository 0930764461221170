"""The one exception that means: the user can fix this, and here is how."""

import errno
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Another user's folder, or a disk that is read-only."""
TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)


class UserError(Exception):
    """A mistake in a command, a config or a data file.

    The message says what was wrong, what was expected and what to type. The scripts print it
    without a traceback and exit with status 2; every other exception is a bug of ours.
    """


def is_disk_full(error: OSError) -> bool:
    """Whether there was no space, or no quota, left to write to."""
    return error.errno in FULL


def os_error(error: Exception, path: Path) -> OSError | None:
    """The error of the operating system that stopped a library, such as safetensors, whose own
    error has only its text: ``... (os error 28)``; None where the text names none."""
    _, found, rest = str(error).partition("(os error ")
    number = rest.partition(")")[0]
    if not found or not number.isdecimal():
        return None
    return OSError(int(number), os.strerror(int(number)), str(path))


def describe_machine_problem(error: OSError, place: str | Path) -> str | None:
    """What the machine lacks, and what helps; None for an error of another kind, which is a bug.

    ``place``: where it happened, as far as the error does not name it."""
    where = error.filename or place
    if error.errno in FULL:
        return f"no space left on the disk ({where}): free some"
    if error.errno in UNWRITABLE and error.filename is not None:
        return f"{error.filename} cannot be written to ({error.strerror}): change that"
    if error.errno in TOO_MANY_FILES:
        return f"too many open files ({where}): type ulimit -n 4096"
    return None
