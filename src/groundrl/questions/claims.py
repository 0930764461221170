"""What the answers of questions about single objects and their number state."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundrl.language.numbers import NUMBERS
from groundrl.language.words import plural, verb_be, with_article
from groundrl.questions.draft import pointed_at
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.references import ANY, Reference, object_meant, objects_meant
from groundrl.questions.sentences import Rationale, decide, tally
from groundrl.records import Grounding, Sample

Pointed = Sequence[KnownObject]


def are_same(pointed: Pointed, objects: Pointed) -> bool:
    """Whether both are the same objects, each once, in any order."""
    return sorted(one.index for one in pointed) == sorted(one.index for one in objects)


def landmarks(reference: Reference, image: KnownImage) -> list[KnownObject]:
    """The object that the relation of a reference is to."""
    landmark = None if reference.landmark is None else object_meant(reference.landmark, image)
    return [] if landmark is None else [landmark]


def phrases_of(objects: Pointed, sample: Sample, pointed: Pointed) -> list[Grounding]:
    """The phrases with which the reasoning points at these of the objects ``pointed``."""
    pairs = zip(pointed_at(sample.rationale or ()), pointed, strict=True)
    return [phrase for phrase, one in pairs if one in objects]


def is_worded(sample: Sample, rationales: Sequence[Rationale]) -> bool:
    """Whether the reasoning of a sample is one of these, in either order."""
    return any(sample.rationale in (one.look_first, one.conclude_first) for one in rationales)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """There is such an object, or none."""

    what: Reference
    where: str = ""
    """"in the picture", or nothing."""

    @property
    def question(self) -> str:
        """Is there a red cup? Is there a dog in the picture?"""
        name = self.what.name
        place = f" {self.where}" if self.where else ""
        return f"{verb_be(name).capitalize()} there {with_article(name)}{place}?"

    def closest(self, image: KnownImage) -> list[KnownObject]:
        """Where there is none: all objects of the class in other colours, else all of the colour in
        other classes; of a class without colour, none is closer than another."""
        if self.what.color is None:
            return []
        same_noun = [one for one in image.objects if one.noun == self.what.noun]
        return same_noun or [one for one in image.objects if one.color == self.what.color]

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """A "yes" points at all such objects, a "no" at what comes closest (one object, where none
        is closer than another) or at nothing, and the reasoning says the same as the answer."""
        found = objects_meant(self.what, image)
        if found is None or sample.answers != (("yes",) if found else ("no",)):
            return False
        closest = self.closest(image)
        points_right = (
            are_same(pointed, found)
            if found
            else not pointed or (are_same(pointed, closest) if closest else len(pointed) == 1)
        )
        name = with_article(self.what.name)
        return points_right and is_worded(
            sample, decide(phrases_of(pointed, sample, pointed), name, found=bool(found))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """There are so many such objects."""

    what: Reference
    where: str = "there"
    """"there" or "in the picture"."""

    @property
    def question(self) -> str:
        """How many cups are there? How many dogs are in the picture? How many objects are red? How
        many objects are left of the lamp?"""
        what, noun = self.what, plural(self.what.noun)
        if what.noun != ANY:
            return f"How many {noun} are {self.where}?"
        return f"How many {noun} are {what.color or what.text.removeprefix(f'{ANY} ')}?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning points at all such objects, and at the landmark of a relation, and says the
        same number as the answer."""
        found = objects_meant(self.what, image)
        around = landmarks(self.what, image)
        if found is None or not are_same(pointed, found + around) or len(sample.answers) != 1:
            return False
        word = sample.answers[0]
        place = None
        if around:
            place = (str(self.what.relation), phrases_of(around, sample, pointed)[0])
        return word in (str(len(found)), *NUMBERS[len(found) : len(found) + 1]) and is_worded(
            sample, tally(phrases_of(found, sample, pointed), word, place)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """One object is meant."""

    what: Reference
    find: bool = False

    @property
    def question(self) -> str:
        """Where is the leftmost dog? Find the red cup."""
        if self.find:
            return f"Find the {self.what.text}."
        return f"Where {verb_be(self.what.noun)} the {self.what.text}?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning points at this object alone."""
        found = object_meant(self.what, image)
        return not sample.answers and found is not None and are_same(pointed, [found])


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorOf:
    """The one object that is meant has this colour."""

    what: Reference

    @property
    def question(self) -> str:
        """What color is the cup?"""
        return f"What color {verb_be(self.what.noun)} the {self.what.text}?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning points at this object, and at the landmark of a relation."""
        found = object_meant(self.what, image)
        return (
            found is not None
            and sample.answers == (found.color,)
            and are_same(pointed, [found, *landmarks(self.what, image)])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassOf:
    """The only object of a colour is of this class."""

    color: str

    @property
    def question(self) -> str:
        """What is the red thing?"""
        return f"What is the {self.color} thing?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning points at this object."""
        found = object_meant(Reference(color=self.color), image)
        return found is not None and sample.answers == (found.noun,) and [*pointed] == [found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The answers are the classes that are there, the other options are not."""

    @property
    def question(self) -> str:
        """See the text."""
        return "Which of these are in the picture?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning points at all objects of the classes that are there."""
        found = {name: objects_meant(Reference(noun=name), image) for name in sample.options}
        there = [one for objects in found.values() for one in objects or ()]
        return (
            None not in found.values()
            and {name for name, objects in found.items() if objects} == {*sample.answers}
            and are_same(pointed, there)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OfColors:
    """The answers are classes of one object each that has one of these colours; the other options
    have others."""

    colors: tuple[str, ...]

    @property
    def question(self) -> str:
        """Which of these are red or blue?"""
        return f"Which of these are {' or '.join(self.colors)}?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning points at the answers."""
        found = {name: object_meant(Reference(noun=name), image) for name in sample.options}
        right = {n: one for n, one in found.items() if one is not None and one.color in self.colors}
        return (
            all(one is not None and one.color is not None for one in found.values())
            and {*right} == {*sample.answers}
            and are_same(pointed, [*right.values()])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Every phrase names what it points at; that is checked of every sample."""

    question: str

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """There is no answer but the text, and it points at something."""
        return bool(pointed) and not sample.answers
