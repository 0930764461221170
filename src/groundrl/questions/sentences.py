"""Sentences that point at objects."""

from collections.abc import Sequence
from typing import Literal

from groundrl.language.words import article, verb_be
from groundrl.records import Grounding, Segments


def weave(*parts: str | Grounding) -> Segments:
    """One text of these parts: empty strings go, neighbouring strings become one."""
    woven: list[str | Grounding] = []
    for part in parts:
        if isinstance(part, str) and woven and isinstance(previous := woven[-1], str):
            woven[-1] = previous + part
        elif part:
            woven.append(part)
    return tuple(woven)


def listing(
    items: Sequence[Grounding], determiner: Literal["a", "the", ""] = ""
) -> list[str | Grounding]:
    """Parts of "A, B and C", of "the A, the B and the C", or of "a A, an B and a C"."""
    parts: list[str | Grounding] = []
    for i, item in enumerate(items):
        if i > 0:
            parts.append(" and " if i == len(items) - 1 else ", ")
        parts.append({"a": article(item.label), "the": "the ", "": ""}[determiner])
        parts.append(item)
    return parts


def capitalized(segments: Segments) -> Segments:
    """The same text with a capital first letter, where it starts with a string."""
    if segments and isinstance(first := segments[0], str):
        return (first[:1].upper() + first[1:], *segments[1:])
    return segments


def there_is(
    items: Sequence[Grounding], *, verb: str | None = None, also: bool = False
) -> Segments:
    """ "There is a A and a B."; the verb is that of the first item unless it is given."""
    verb = verb or verb_be(items[0].label)
    return weave(f"There {verb} {'also ' if also else ''}", *listing(items, "a"), ".")


def state(
    items: Sequence[Grounding],
    what: str,
    landmark: Grounding | None = None,
    *,
    of_these: bool = False,
) -> Segments:
    """ "The A and the B are <what> [the landmark]."; where ``of_these``, several items make "Of
    these, A and B are <what> the landmark." """
    single = len(items) == 1
    verb = verb_be(items[0].label) if single else "are"
    begin = ["Of these, "] if of_these and not single else []
    subjects = listing(items, "" if begin else "the")
    end: list[str | Grounding] = ["."] if landmark is None else [" the ", landmark, "."]
    return capitalized(weave(*begin, *subjects, f" {verb} {what}", *end))
