"""The one exception that means: the user can fix this, and here is how."""


class UserError(Exception):
    """A mistake in a command, a config or a data file.

    The message says what was wrong, what was expected and what to type. The scripts print it
    without a traceback and exit with status 2; every other exception is a bug of ours.
    """
