"""Where reasoning ends and the answer begins, whichever tags a model writes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

TAG: Final = re.compile(r"</?(?:think|answer)>")

Place = tuple[int, int]
"""Start and end in a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """The parts of a text."""

    reasoning: Place | None
    """Up to the last ``</think>``, its tags excluded; None without one."""
    answer: Place | None
    """Without blanks at its ends; empty between answer tags that hold nothing."""


def divide(text: str, tags: Sequence[re.Match[str]]) -> Division:
    """Find reasoning and answer; ``tags``: all that ``TAG`` finds in the text.

    Reasoning ends at the last ``</think>`` and begins behind the first ``<think>``, or with the
    text. The answer is what answer tags behind it hold, also if these are nested or one of a pair
    is missing; without tags, all the text there. What stands between answer tags in reasoning is
    none, and so is the rest of reasoning that never ends. Several different answers are none.
    """
    ends = [i for i, tag in enumerate(tags) if tag[0] == "</think>"]
    first = next((tag for tag in tags if tag[0] == "<think>"), None)
    if ends:
        close = tags[ends[-1]]
        start = first.end() if first and first.start() < close.start() else 0
        rest = [tag for tag in tags[ends[-1] + 1 :] if tag[0].endswith("answer>")]
        answer = _answer(text, close.end(), rest, bare=True)
        return Division(reasoning=(start, close.start()), answer=answer)
    rest = [tag for tag in tags if tag[0].endswith("answer>")]
    return Division(reasoning=None, answer=_answer(text, 0, rest, bare=first is None))


def _answer(text: str, start: int, tags: Sequence[re.Match[str]], bare: bool) -> Place | None:
    """The one answer from ``start`` on; ``bare``: text without answer tags is one."""
    if not tags:
        place = _strip(text, start, len(text))
        return place if bare and place[0] < place[1] else None
    places: list[Place] = []
    opened: int | None = start if bare else None
    for tag in tags:
        if tag[0] == "<answer>":
            opened = tag.end()
        elif opened is not None:
            places.append(_strip(text, opened, tag.start()))
            opened = None
    if opened is not None and tags[-1][0] == "<answer>":
        places.append(_strip(text, opened, len(text)))
    said = {text[slice(*place)].casefold() for place in places}
    return places[0] if len(said) == 1 else None


def _strip(text: str, start: int, end: int) -> Place:
    """The place without blanks at its ends."""
    part = text[start:end]
    first = start + len(part) - len(part.lstrip())
    return first, max(first, start + len(part.rstrip()))
