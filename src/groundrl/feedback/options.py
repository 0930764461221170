"""Options of commands without a config: ``name=value``."""

import difflib
from collections.abc import Mapping, Sequence

from groundrl.errors import UserError


def read_options(
    arguments: Sequence[str], usage: str, defaults: Mapping[str, str | None]
) -> dict[str, str]:
    """The value of every option; one whose default is None must be given.

    Raises UserError, ending in ``usage``, for everything that is no option of the command.
    """
    values = {name: value for name, value in defaults.items() if value is not None}
    given = set()
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name not in defaults:
            near = difflib.get_close_matches(name, defaults, n=1)
            hint = f"; do you mean {near[0]}=?" if near else ""
            raise UserError(f"{argument!r} is no option of this command{hint}\n{usage}")
        if name in given or not value:
            raise UserError(f"{name}= needs one value, once\n{usage}")
        given.add(name)
        values[name] = value
    missing = [f"{name}=" for name in defaults if name not in values]
    if missing:
        raise UserError(f"{' and '.join(missing)} must be given\n{usage}")
    return values
