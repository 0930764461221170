"""Where the failures of a text are. Grammars say what is wrong; this finds the place."""

import re
from dataclasses import dataclass

from groundrl.boxes import Frame
from groundrl.grammar.base import Grammar, Parsed

TAG = re.compile(r"</?(?:think|answer)>")
SHOWN = 40
"""Characters of the text that are shown with a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is wrong with a text, and where."""

    reason: str
    start: int | None
    """Index into the text; None for what is missing."""
    excerpt: str
    """The text from there on."""


def locate_failures(text: str, parsed: Parsed, grammar: Grammar, frame: Frame) -> list[Failure]:
    """Each of ``parsed.failures`` with the last place where it occurs."""
    found = []
    for reason in parsed.failures:
        if reason in parsed.damaged or reason.startswith("a box"):
            start = _place_of_damage(text, reason, grammar, frame)
        else:
            start = _place_of_tag(text, reason)
        end = None if start is None else start + SHOWN
        excerpt = "" if start is None else text[start:end]
        found.append(Failure(reason=reason, start=start, excerpt=excerpt))
    return found


def _place_of_damage(text: str, reason: str, grammar: Grammar, frame: Frame) -> int:
    """The last start from which the rest of the text still fails for this reason.

    By bisection: the rest from ``low`` fails, the rest from ``high`` does not, so the sign that
    makes the difference stands between them. Takes a logarithmic number of parses.
    """
    low, high = 0, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        if reason in grammar.parse(text[middle:], frame).failures:
            low = middle
        else:
            high = middle
    return low


def _place_of_tag(text: str, reason: str) -> int | None:
    """The last tag that the reason names; the end of the text where it is what comes after one."""
    named = TAG.findall(reason)
    if reason.startswith("missing"):
        return None
    if reason.startswith("text before"):
        return 0
    start = text.rfind(named[0]) if named else 0
    return start + len(named[0]) if reason.startswith("text ") else start
