"""What the answers of questions about places state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from groundrl.questions.claims import Pointed, are_same, is_worded, phrases_of
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.references import Reference, object_meant
from groundrl.questions.sentences import Rationale, find, relate
from groundrl.records import Sample
from groundrl.relations import Relation

FURTHER: Final = {
    Relation.LEFT_OF: "further left",
    Relation.RIGHT_OF: "further right",
    Relation.ABOVE: "higher up",
    Relation.BELOW: "lower down",
    Relation.BEHIND: "further away",
    Relation.IN_FRONT_OF: "nearer",
}
"""How a question asks for the one of two objects that stands in a relation to the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EitherRelation:
    """One object stands in the first or in the second of two converse relations to another."""

    subject: Reference
    object: Reference
    relations: tuple[Relation, Relation]

    @property
    def question(self) -> str:
        """Is the cup left or right of the lamp? Is the cup in front of or behind the lamp?"""
        first, second = self.relations
        # Both end in "of", or only one of them does.
        words = f"{word_of(first) if second.endswith(' of') else first} or {second}"
        return f"Is the {self.subject.text} {words} the {self.object.text}?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning states the relation between the two."""
        a, b = object_meant(self.subject, image), object_meant(self.object, image)
        true = [
            relation
            for relation in self.relations
            if a is not None and b is not None and image.proves(a, relation, b)
        ]
        return (
            sample.answers == tuple(word_of(relation) for relation in true)
            and a is not None
            and b is not None
            and is_related(sample, pointed, [a], true[0], b)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """Of two objects that are the only ones of their class, one stands so to the other."""

    relation: Relation
    nouns: tuple[str, str]
    """In the order of the question."""

    @property
    def question(self) -> str:
        """Which is further left, the dog or the cat?"""
        first, second = self.nouns
        return f"Which is {FURTHER[self.relation]}, the {first} or the {second}?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning states the relation between the two."""
        if sorted(self.nouns) != sorted(one.noun for one in pointed) or not all(
            object_meant(Reference(noun=noun), image) for noun in self.nouns
        ):
            return False
        last = [one for one in pointed if one.noun not in sample.answers]
        return len(last) == 1 and _are_placed(
            sample, pointed, self.relation, last[0], image, relate
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The answers stand so to the anchor, the other options do not."""

    relation: Relation
    anchor: Reference
    single: bool = False
    """Whether one answer is asked for."""

    @property
    def question(self) -> str:
        """Which of these are left of the dog?"""
        verb = "is" if self.single else "are"
        return f"Which of these {verb} {self.relation} the {self.anchor.text}?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning states the relation of all answers to the anchor."""
        anchor = object_meant(self.anchor, image)
        wrong = [one for one in image.objects if {one.noun, one.label} & {*sample.options}]
        return (
            anchor is not None
            and _are_placed(sample, pointed, self.relation, anchor, image, find)
            and not any(
                image.proves(one, self.relation, anchor) for one in wrong if one not in pointed
            )
        )


def word_of(relation: Relation) -> str:
    """ "left" of "left of"."""
    return relation.removesuffix(" of")


def is_related(
    sample: Sample,
    pointed: Pointed,
    subjects: Sequence[KnownObject],
    relation: str,
    anchor: KnownObject,
    wordings: Callable[..., tuple[Rationale, ...]] = relate,
) -> bool:
    """Whether the reasoning points at these objects alone and states the relation of all subjects
    to the anchor, in one of these wordings."""
    if not subjects or not are_same(pointed, [*subjects, anchor]):
        return False
    phrases = phrases_of(subjects, sample, pointed)
    (last,) = phrases_of([anchor], sample, pointed)
    return any(
        is_worded(sample, wordings(phrases, relation, last, of_these=given))
        for given in (True, False)
    )


def _are_placed(
    sample: Sample,
    pointed: Pointed,
    relation: Relation,
    anchor: KnownObject,
    image: KnownImage,
    wordings: Callable[..., tuple[Rationale, ...]],
) -> bool:
    """Whether the objects besides the anchor are the answers and stand so to it, and the reasoning
    states exactly this."""
    subjects = [one for one in pointed if one is not anchor]
    names = [_name_in(sample.answers, one, image) for one in subjects]
    return (
        None not in names
        and sorted(sample.answers) == sorted(filter(None, names))
        and all(image.proves(one, relation, anchor) is True for one in subjects)
        and is_related(sample, pointed, subjects, relation, anchor, wordings)
    )


def _name_in(answers: Sequence[str], one: KnownObject, image: KnownImage) -> str | None:
    """The answer that means this object and no other one."""
    names = [Reference(noun=one.noun), Reference(noun=one.noun, color=one.color)]
    found = [n.text for n in names if n.text in answers and object_meant(n, image) is one]
    return found[0] if found else None
