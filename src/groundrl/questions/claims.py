"""What the answers of questions about single objects and their number state."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundrl.language.numbers import NUMBERS
from groundrl.language.words import plural, verb_be, with_article
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.references import ANY, Reference, object_meant, objects_meant
from groundrl.records import Sample

Pointed = Sequence[KnownObject]


def are_same(pointed: Pointed, objects: Pointed) -> bool:
    """Whether both are the same objects, each once, in any order."""
    return sorted(one.index for one in pointed) == sorted(one.index for one in objects)


def landmarks(reference: Reference, image: KnownImage) -> list[KnownObject]:
    """The object that the relation of a reference is to, which a rationale points at last."""
    landmark = None if reference.landmark is None else object_meant(reference.landmark, image)
    return [] if landmark is None else [landmark]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """There is such an object, or none."""

    what: Reference
    in_picture: bool = False

    @property
    def question(self) -> str:
        """Is there a red cup? Is there a dog in the picture?"""
        name, end = self.what.name, " in the picture" * self.in_picture
        return f"{verb_be(name).capitalize()} there {with_article(name)}{end}?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """A "yes" points at all such objects, a "no" at nothing or at what comes closest: all
        objects of the class, or all of the colour."""
        found = objects_meant(self.what, image)
        if found is None or sample.answers != (("yes",) if found else ("no",)):
            return False
        if found or not pointed:
            return are_same(pointed, found)
        noun, color = self.what.noun, self.what.color
        closest = (
            [one for one in image.objects if one.noun == noun],
            [one for one in image.objects if one.color == color],
        )
        return color is not None and any(are_same(pointed, objects) for objects in closest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """There are so many such objects."""

    what: Reference
    in_picture: bool = False

    @property
    def question(self) -> str:
        """How many cups are there? How many dogs are in the picture? How many objects are red? How
        many objects are left of the lamp?"""
        what, noun = self.what, plural(self.what.noun)
        if what.noun != ANY:
            return f"How many {noun} are {'in the picture' if self.in_picture else 'there'}?"
        return f"How many {noun} are {what.color or what.text.removeprefix(f'{ANY} ')}?"

    def is_proven(self, sample: Sample, pointed: Pointed, image: KnownImage) -> bool:
        """The reasoning points at all such objects, and at the landmark of a relation."""
        found = objects_meant(self.what, image)
        if found is None or not are_same(pointed, found + landmarks(self.what, image)):
            return False
        words = (str(len(found)), *NUMBERS[len(found) : len(found) + 1])
        return len(sample.answers) == 1 and sample.answers[0] in words


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
