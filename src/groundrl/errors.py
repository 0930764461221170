"""The one exception that means: the user can fix this, and here is how."""

import errno


class UserError(Exception):
    """A mistake in a command, a config or a data file.

    The message says what was wrong, what was expected and what to type. The scripts print it
    without a traceback and exit with status 2; every other exception is a bug of ours.
    """


def is_disk_full(error: OSError) -> bool:
    """Whether there was no space, or no quota, left to write to."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
