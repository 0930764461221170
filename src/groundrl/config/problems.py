"""Problems of a config are reported together, numbered, each with its fix."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from groundrl.errors import UserError


def raise_all(problems: Sequence[str], where: str) -> None:
    """Raise one UserError that numbers every problem; do nothing when there is none."""
    if not problems:
        return
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"{number}. {problem}" for number, problem in enumerate(problems, start=1)]
    raise UserError("\n".join([f"{where} has {count}:", *lines]))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'weight'?"``, or an empty string when no known word is similar."""
    near = get_close_matches(word, sorted(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def join(path: str, key: str | int) -> str:
    """The option's name as typed on the command line: ``join("data", "root") == "data.root"``."""
    return f"{path}.{key}" if path else str(key)
