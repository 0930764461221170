"""Sentences of the embedded teacher, and how one is made wrong."""

import random
from dataclasses import dataclass, replace
from typing import Final

from groundrl.language.numbers import NUMBERS
from groundrl.language.words import plural, verb_be, with_article
from groundrl.relations import CONVERSE, Relation
from groundrl.synthesis.annotations import CaptionError, ErrorKind
from groundrl.synthesis.teachers.facts import Facts, Thing

MAX_NUMBER: Final = len(NUMBERS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One sentence: that something is there, how two things stand, or how many there are."""

    thing: Thing
    opening: str = "There"
    """"This" for what a crop is about."""
    relation: Relation | None = None
    other: Thing | None = None
    """What the relation is to."""
    number: int | None = None

    @property
    def text(self) -> str:
        """ "There is a red cup." "A red cup is behind a box." "There are two cups in all." """
        if self.number is not None:
            noun = self.thing.noun
            many = self.number > 1 or verb_be(noun) == "are"
            return f"There {'are' if many else 'is'} {self.counted} in all."
        verb = verb_be(self.thing.noun)
        if self.relation is None or self.other is None:
            return f"{self.opening} {verb} {with_article(phrase(self.thing))}."
        first = with_article(phrase(self.thing))
        second = with_article(phrase(self.other))
        return f"{first[:1].upper()}{first[1:]} {verb} {self.relation} {second}."

    @property
    def counted(self) -> str:
        """ "two cups"."""
        assert self.number is not None
        noun = self.thing.noun
        return f"{NUMBERS[self.number]} {noun if self.number == 1 else plural(noun)}"


def phrase(thing: Thing) -> str:
    """ "red cup", or "cup" where the colour is not known."""
    return thing.noun if thing.color is None else f"{thing.color} {thing.noun}"


def with_error(
    statements: list[Statement], facts: Facts, kind: ErrorKind, rng: random.Random
) -> tuple[list[Statement], CaptionError] | None:
    """The statements with one error of that kind among them; None where there can be none."""
    if kind is ErrorKind.OBJECT:
        return _with_something_absent(statements, facts, rng)
    places = list(range(len(statements)))
    rng.shuffle(places)
    for place in places:
        found = _SPOILERS[kind](statements[place], facts, rng)
        if found is not None:
            wrong, flaw = found
            return [*statements[:place], wrong, *statements[place + 1 :]], flaw
    return None


def _with_something_absent(
    statements: list[Statement], facts: Facts, rng: random.Random
) -> tuple[list[Statement], CaptionError] | None:
    """One more sentence, or one thing of a relation taken for another."""
    if not facts.absent:
        return None
    color = rng.choice(facts.colors) if facts.colors else None
    invented = Thing(noun=rng.choice(facts.absent), color=color, box=facts.things[0].box)
    flaw = CaptionError(kind=ErrorKind.OBJECT, span=phrase(invented))
    related = [i for i, one in enumerate(statements) if one.relation is not None]
    if related and rng.random() < 0.5:
        place = rng.choice(related)
        wrong = replace(statements[place], other=invented)
        return [*statements[:place], wrong, *statements[place + 1 :]], flaw
    place = rng.randint(1, len(statements))
    return [*statements[:place], Statement(thing=invented), *statements[place:]], flaw


def _recolored(
    one: Statement, facts: Facts, rng: random.Random
) -> tuple[Statement, CaptionError] | None:
    if one.number is not None or one.thing.color is None:
        return None
    # Another thing of this class may have that colour: the statement would be true.
    taken = {thing.color for thing in facts.things if thing.noun == one.thing.noun}
    color = rng.choice([name for name in facts.colors if name not in taken])
    wrong = replace(one, thing=replace(one.thing, color=color))
    return wrong, CaptionError(kind=ErrorKind.ATTRIBUTE, span=phrase(wrong.thing))


def _turned(
    one: Statement, facts: Facts, rng: random.Random
) -> tuple[Statement, CaptionError] | None:
    if one.relation is None or one.other is None or one.relation not in CONVERSE:
        return None
    wrong = replace(one, relation=CONVERSE[one.relation])
    return wrong, CaptionError(kind=ErrorKind.RELATION, span=wrong.text.rstrip("."))


def _miscounted(
    one: Statement, facts: Facts, rng: random.Random
) -> tuple[Statement, CaptionError] | None:
    if one.number is None:
        return None
    choices = [n for n in (one.number - 1, one.number + 1) if 1 <= n <= MAX_NUMBER]
    wrong = replace(one, number=rng.choice(choices))
    return wrong, CaptionError(kind=ErrorKind.COUNT, span=wrong.counted)


_SPOILERS: Final = {
    ErrorKind.ATTRIBUTE: _recolored,
    ErrorKind.RELATION: _turned,
    ErrorKind.COUNT: _miscounted,
}
