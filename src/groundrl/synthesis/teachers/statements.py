"""Sentences of the embedded teacher, and the errors that it plants in them."""

import random
from dataclasses import dataclass, replace
from typing import Final

from groundrl.language.numbers import NUMBERS
from groundrl.language.words import plural, verb_be, with_article
from groundrl.questions.wrong_facts import wrong_colors, wrong_count, wrong_relation
from groundrl.relations import CONVERSE, Relation
from groundrl.synthesis.annotations import CaptionError, ErrorKind
from groundrl.synthesis.teachers.facts import ViewFacts, VisibleObject

MAX_NUMBER: Final = len(NUMBERS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One sentence: an object exists, two objects are in a relation, or a count of objects."""

    subject: VisibleObject
    opening: str = "There"
    """"This" for the object of a crop."""
    relation: Relation | None = None
    object: VisibleObject | None = None
    """The object of ``relation``."""
    number: int | None = None
    """How many objects of the subject's class there are."""

    @property
    def text(self) -> str:
        """ "There is a red cup." "A red cup is behind a box." "There are two cups in all." """
        if self.number is not None:
            noun = self.subject.noun
            many = self.number > 1 or verb_be(noun) == "are"
            return f"There {'are' if many else 'is'} {self.counted} in all."
        verb = verb_be(self.subject.noun)
        if self.relation is None or self.object is None:
            return f"{self.opening} {verb} {with_article(name_object(self.subject))}."
        first = with_article(name_object(self.subject))
        second = with_article(name_object(self.object))
        return f"{first[:1].upper()}{first[1:]} {verb} {self.relation} {second}."

    @property
    def counted(self) -> str:
        """ "two cups"."""
        assert self.number is not None
        noun = self.subject.noun
        return f"{NUMBERS[self.number]} {noun if self.number == 1 else plural(noun)}"


def name_object(one: VisibleObject) -> str:
    """ "red cup", or "cup" where the colour is unknown."""
    return one.noun if one.color is None else f"{one.color} {one.noun}"


def plant_error(
    statements: list[Statement], facts: ViewFacts, kind: ErrorKind, rng: random.Random
) -> tuple[list[Statement], CaptionError] | None:
    """The statements with one error of ``kind``, and that error; None where none is possible."""
    if kind is ErrorKind.OBJECT:
        return _add_absent_object(statements, facts, rng)
    places = list(range(len(statements)))
    rng.shuffle(places)
    for place in places:
        found = _ERROR_MAKERS[kind](statements[place], facts, rng)
        if found is not None:
            wrong, flaw = found
            return [*statements[:place], wrong, *statements[place + 1 :]], flaw
    return None


def _add_absent_object(
    statements: list[Statement], facts: ViewFacts, rng: random.Random
) -> tuple[list[Statement], CaptionError] | None:
    """Mention an absent object: in a new sentence, or as the object of a relation."""
    if not facts.absent:
        return None
    color = rng.choice(facts.colors) if facts.colors else None
    invented = VisibleObject(noun=rng.choice(facts.absent), color=color, box=facts.objects[0].box)
    flaw = CaptionError(kind=ErrorKind.OBJECT, span=name_object(invented))
    related = [i for i, one in enumerate(statements) if one.relation is not None]
    if related and rng.random() < 0.5:
        place = rng.choice(related)
        wrong = replace(statements[place], object=invented)
        return [*statements[:place], wrong, *statements[place + 1 :]], flaw
    place = rng.randint(1, len(statements))
    return [*statements[:place], Statement(subject=invented), *statements[place:]], flaw


def _change_color(
    one: Statement, facts: ViewFacts, rng: random.Random
) -> tuple[Statement, CaptionError] | None:
    if one.number is not None or one.subject.color is None:
        return None
    # Not the colour of another object of this class: the statement would be true.
    objects = [(other.noun, other.color) for other in facts.objects]
    color = rng.choice(wrong_colors(one.subject.noun, objects, facts.colors))
    wrong = replace(one, subject=replace(one.subject, color=color))
    return wrong, CaptionError(kind=ErrorKind.ATTRIBUTE, span=name_object(wrong.subject))


def _reverse_relation(
    one: Statement, facts: ViewFacts, rng: random.Random
) -> tuple[Statement, CaptionError] | None:
    if one.relation is None or one.object is None or one.relation not in CONVERSE:
        return None
    wrong = replace(one, relation=wrong_relation(one.relation, [CONVERSE[one.relation]], rng))
    return wrong, CaptionError(kind=ErrorKind.RELATION, span=wrong.text.rstrip("."))


def _change_count(
    one: Statement, facts: ViewFacts, rng: random.Random
) -> tuple[Statement, CaptionError] | None:
    if one.number is None:
        return None
    wrong = replace(one, number=wrong_count(one.number, rng))
    return wrong, CaptionError(kind=ErrorKind.COUNT, span=wrong.counted)


_ERROR_MAKERS: Final = {
    ErrorKind.ATTRIBUTE: _change_color,
    ErrorKind.RELATION: _reverse_relation,
    ErrorKind.COUNT: _change_count,
}
