"""Sentences that point at objects, and the reasoning that is made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from groundrl.language.words import article, is_plural, verb_be, with_article
from groundrl.records import Grounding, Segments

Order = Literal["look_first", "conclude_first"]
"""Whether a rationale points at objects before or after it states what follows from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rationale:
    """The same reasoning in both orders; equal where a kind of question has only one."""

    look_first: Segments
    conclude_first: Segments

    def ordered(self, order: Order) -> Segments:
        """In this order."""
        return self.look_first if order == "look_first" else self.conclude_first


def one_order(segments: Segments) -> Rationale:
    """Reasoning that has nothing to conclude beyond what its phrases name."""
    return Rationale(look_first=segments, conclude_first=segments)


def weave(*parts: str | Grounding) -> Segments:
    """One text of these parts: empty strings go, neighbouring strings become one."""
    woven: list[str | Grounding] = []
    for part in parts:
        if isinstance(part, str) and woven and isinstance(previous := woven[-1], str):
            woven[-1] = previous + part
        elif part:
            woven.append(part)
    return tuple(woven)


def in_words(segments: Segments) -> Segments:
    """The same text with the labels of its groundings in their place."""
    return weave(*(part if isinstance(part, str) else part.label for part in segments))


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


def relate(
    items: Sequence[Grounding],
    relation: str,
    landmark: Grounding,
    *,
    of_these: bool = False,
) -> tuple[Rationale, ...]:
    """Wordings of how the items stand to the landmark; ``of_these`` as in ``state``."""
    verb = verb_be(items[0].label) if len(items) == 1 else "are"
    it = "them" if is_plural(landmark.label) else "it"
    begin = "of these, " if of_these and len(items) > 1 else ""
    subjects = listing(items, "the")
    end = f" {verb} {relation} {it}."
    return (
        Rationale(
            look_first=weave("Look at the ", landmark, f": {begin}", *subjects, end),
            conclude_first=state(items, relation, landmark, of_these=of_these),
        ),
        Rationale(
            look_first=weave("Here is the ", landmark, f", and {begin}", *subjects, end),
            conclude_first=weave("I see ", *subjects, f" {relation} the ", landmark, "."),
        ),
    )


def find(
    items: Sequence[Grounding],
    relation: str,
    landmark: Grounding,
    *,
    of_these: bool = False,
) -> tuple[Rationale, ...]:
    """Wordings of which items stand so to the landmark; ``of_these`` as in ``state``.

    Here the relation is asked for and the items are not known yet: looking first, the landmark and
    the relation come before them. ``relate`` is for items that the question names.
    """
    verb = verb_be(items[0].label) if len(items) == 1 else "are"
    begin = "of these, " if of_these and len(items) > 1 else ""
    place = weave(f"{begin}{relation} the ", landmark)
    subjects = listing(items, "the")
    return tuple(
        Rationale(look_first=capitalized(weave(*place, look, *subjects, ".")), conclude_first=other)
        for look, other in zip(
            (f" {verb} ", " I see "),
            (one.conclude_first for one in relate(items, relation, landmark, of_these=of_these)),
            strict=True,
        )
    )


def color_beside(item: Grounding, color: str, relation: str, landmark: Grounding) -> Rationale:
    """The colour of what stands so to the landmark."""
    verb = verb_be(item.label)
    return Rationale(
        look_first=capitalized(
            weave(f"{relation} the ", landmark, f" {verb} the ", item, f": {color}.")
        ),
        conclude_first=weave("The ", item, f" {relation} the ", landmark, f" {verb} {color}."),
    )


def tally(
    items: Sequence[Grounding], word: str, place: tuple[str, Grounding] | None = None
) -> tuple[Rationale, ...]:
    """Wordings of how many items there are; ``word`` is the number, as a word or in digits.

    ``place``: a relation and its landmark, where only what stands so was counted.
    """
    subjects = listing(items, "the") if items else ["nothing"]
    verb = "is" if len(items) == 1 else "are"
    here = [] if place is None else [f"{place[0]} the ", place[1]]
    first, last = ([*here, " "], [" ", *here]) if here else ([], [])
    return tuple(
        Rationale(
            look_first=capitalized(weave(*first, f"I {look} ", *subjects, makes)),
            conclude_first=weave(f"{conclude} {word}", *last, ": ", *subjects, "."),
        )
        for look, makes, conclude in (
            ("see", f": that makes {word}.", f"There {verb}"),
            ("count", f": {word}.", "I count"),
        )
    )


def decide(items: Sequence[Grounding], name: str, *, found: bool) -> tuple[Rationale, ...]:
    """Wordings of whether there is ``name`` ("a red cup"): the items are all of them, or, where it
    was not found, what comes closest.

    What was found is named once more before the verdict, so that it is compared with what was asked
    for where both stand side by side.
    """
    subjects = listing(items, "the") if items else ["nothing"]
    names = " and ".join(with_article(item.label) for item in items)
    ends = f"{f': {names}' if items else ''}, so {'yes' if found else 'no'}."
    verb = "are" if len(items) > 1 else verb_be(items[0].label) if items else "is"
    if found:
        concluded = there_is(items)
    else:
        denial = f"There is no {name.removeprefix('an ').removeprefix('a ')}"
        concluded = weave(denial, *([f": the closest {verb} ", *subjects] if items else []), ".")
    return tuple(
        Rationale(look_first=weave(begin, *subjects, ends), conclude_first=concluded)
        for begin in (f"Looking for {name}, I find ", f"What comes closest to {name} {verb} ")
    )
