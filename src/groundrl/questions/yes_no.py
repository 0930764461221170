"""Kinds of question that are answered with yes or no, or with true or false, about the places, the
colours and the number of objects; and what their answers state.

A statement is never a borderline case: what is false is ruled out, not merely absent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from groundrl.language.numbers import NUMBERS
from groundrl.language.words import plural, verb_be
from groundrl.questions.claims import Pointed, are_same, is_worded
from groundrl.questions.draft import Draft, choice
from groundrl.questions.draws import Draws
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.place_claims import is_related
from groundrl.questions.references import Reference, object_meant, objects_meant, short_reference
from groundrl.questions.sentences import one_order, relate, state, tally
from groundrl.records import Sample
from groundrl.relations import CONVERSE, Relation

YES_NO = {True: "yes", False: "no"}
TRUE_FALSE = {True: "true", False: "false"}
TRUE_OR_FALSE = "True or false: "
"""Stands before a statement."""


def statement(text: str) -> str:
    """How a statement is put to a model."""
    return f"{TRUE_OR_FALSE}{text.rstrip('.')}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """An object stands in a relation to another."""

    subject: Reference
    relation: Relation
    object: Reference
    stated: bool = False
    """Whether the question is a statement, to be called true or false."""

    @property
    def question(self) -> str:
        """Is the cup left of the lamp? True or false: the cup is left of the lamp."""
        subject, rest = f"the {self.subject.text}", f"{self.relation} the {self.object.text}"
        verb = verb_be(self.subject.noun)
        if self.stated:
            return statement(f"{subject} {verb} {rest}")
        return f"{verb.capitalize()} {subject} {rest}?"

    @property
    def words(self) -> dict[bool, str]:
        """The two answers."""
        return TRUE_FALSE if self.stated else YES_NO

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning states how the two objects stand."""
        a, b = object_meant(self.subject, image), object_meant(self.object, image)
        if a is None or b is None:
            return False
        verdict = image.proves(a, self.relation, b)
        shown = shown_relation(a, self.relation, b, image)
        return (
            verdict is not None
            and sample.answers == (self.words[verdict],)
            and is_related(sample, pointed, [a], shown, b)
        )


def shown_relation(a: KnownObject, relation: Relation, b: KnownObject, image: KnownImage) -> str:
    """What reasoning states of two objects of which a relation is asked: it, its converse, or that
    it does not hold."""
    if image.proves(a, relation, b):
        return relation
    converse = CONVERSE.get(relation)
    if converse is not None and image.proves(a, converse, b):
        return converse
    return f"not {relation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Colored:
    """An object has a colour."""

    what: Reference
    color: str

    @property
    def question(self) -> str:
        """Is the cup red?"""
        return f"{verb_be(self.what.noun).capitalize()} the {self.what.text} {self.color}?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning points at this object and states its colour."""
        one = object_meant(self.what, image)
        return (
            one is not None
            and one.color is not None
            and are_same(pointed, [one])
            and sample.answers == (YES_NO[one.color == self.color],)
            and is_worded(sample, [one_order(state(sample.groundings, one.color))])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """There are so many objects of a class."""

    noun: str
    count: int

    @property
    def question(self) -> str:
        """Are there two cups?"""
        one = self.count == 1
        noun = self.noun if one else plural(self.noun)
        return f"{'Is' if one else 'Are'} there {NUMBERS[self.count]} {noun}?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning points at all of them and states their number."""
        found = objects_meant(Reference(noun=self.noun), image)
        return (
            found is not None
            and are_same(pointed, found)
            and sample.answers == (YES_NO[len(found) == self.count],)
            and is_worded(sample, tally(sample.groundings, NUMBERS[len(found)]))
        )


def related(
    image: KnownImage,
    draws: Draws,
    *,
    relations: Sequence[Relation],
    verdicts: Sequence[bool] = (True, False),
    stated: bool = False,
) -> Draft | None:
    """ "Is the cup left of the lamp?", or as a statement. A truth is drawn, then a relation that
    holds or is ruled out between two objects."""
    cases = related_cases(image, relations)
    here = [verdict for verdict in verdicts if cases[verdict]]
    if not here:
        return None
    verdict = draws.choice(here)
    # Few pairs touch or stack; drawing the relation first keeps the words in balance.
    relation = draws.choice(sorted({relation for _, relation, _ in cases[verdict]}))
    a, _, b = draws.choice([case for case in cases[verdict] if case[1] == relation])
    return related_draft(a, relation, b, image, draws, stated=stated)


Case = tuple[KnownObject, Relation, KnownObject]


def related_cases(image: KnownImage, relations: Sequence[Relation]) -> dict[bool, list[Case]]:
    """What clearly holds and what is clearly ruled out, between objects with short names."""
    named = [one for one in image.objects if short_reference(one, image) is not None]
    cases: dict[bool, list[Case]] = {True: [], False: []}
    for relation in relations:
        for a in named:
            for b in named:
                verdict = None if a is b else image.relation(a, relation, b)
                if verdict is not None:
                    cases[verdict].append((a, relation, b))
    return cases


def related_draft(
    a: KnownObject,
    relation: Relation,
    b: KnownObject,
    image: KnownImage,
    draws: Draws,
    *,
    stated: bool = False,
) -> Draft:
    """The draft of a claim about two objects with short names."""
    first, second = short_reference(a, image), short_reference(b, image)
    assert first is not None
    assert second is not None
    claim = Related(subject=first, relation=relation, object=second, stated=stated)
    shown = shown_relation(a, relation, b, image)
    rationale = draws.choice(relate([image.phrase(a)], shown, image.phrase(b)))
    verdict = bool(image.relation(a, relation, b))
    return choice(claim, rationale, [claim.words[verdict]], [claim.words[not verdict]], draws)


def colored(image: KnownImage, draws: Draws) -> Draft | None:
    """ "Is the cup red?" Yes as often as no; a wrong colour is one of the image where possible."""
    named = [one for one in image.alone_in_class if one.color is not None]
    if not named:
        return None
    one = draws.choice(named)
    color = str(one.color) if draws.random() < 0.5 else wrong_color(one, image, draws)
    return colored_draft(one, color, image, draws)


def wrong_color(one: KnownObject, image: KnownImage, draws: Draws) -> str:
    """Another colour, seen elsewhere in the image where possible."""
    seen = sorted({str(other.color) for other in image.objects if other.color} - {one.color})
    return draws.choice(seen or [color for color in image.possible_colors if color != one.color])


def colored_draft(one: KnownObject, color: str, image: KnownImage, draws: Draws) -> Draft:
    """The draft of a claim about the colour of the only object of its class."""
    claim = Colored(what=Reference(noun=one.noun), color=color)
    verdict = one.color == color
    rationale = one_order(state([image.phrase(one)], str(one.color)))
    return choice(claim, rationale, [YES_NO[verdict]], [YES_NO[not verdict]], draws)


def numbered(image: KnownImage, draws: Draws) -> Draft | None:
    """ "Are there two cups?" Yes as often as no; a wrong number is one more or one less."""
    counts = {noun: len(objects) for noun, objects in sorted(image.pointable.items())}
    if not counts:
        return None
    # The number first: most classes have one object.
    true = draws.choice(sorted({*counts.values()}))
    noun = draws.choice([noun for noun, count in counts.items() if count == true])
    count = true if draws.random() < 0.5 else wrong_count(true, draws)
    return numbered_draft(noun, count, image, draws)


def wrong_count(true: int, draws: Draws) -> int:
    """One more or one less, at least one."""
    return draws.choice([count for count in (true - 1, true + 1) if count > 0])


def numbered_draft(noun: str, count: int, image: KnownImage, draws: Draws) -> Draft:
    """The draft of a claim about the number of objects of a class."""
    objects = image.pointable[noun]
    rationale = draws.choice(tally(image.phrases(objects), NUMBERS[len(objects)]))
    verdict = len(objects) == count
    claim = Numbered(noun=noun, count=count)
    return choice(claim, rationale, [YES_NO[verdict]], [YES_NO[not verdict]], draws)
