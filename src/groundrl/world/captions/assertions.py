"""What the sentences of a caption say about a scene, and whether the scene bears it out.

A verdict is True (clearly so), False (clearly not so) or None: too close to call, or about an
object that is not there, so that there is nothing to compare with.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable

from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.references import Reference
from groundrl.relations import Relation


class Place(StrEnum):
    """A part of the image, from its left edge to its right one."""

    LEFT = "left"
    MIDDLE = "middle"
    RIGHT = "right"


HOLDS: Final = {Place.LEFT: (0.0, 0.38), Place.MIDDLE: (0.42, 0.58), Place.RIGHT: (0.62, 1.0)}
"""Shares of the image's width between which the centre of a box is clearly in that place."""
POSSIBLE: Final = {Place.LEFT: (0.0, 0.5), Place.MIDDLE: (0.3, 0.7), Place.RIGHT: (0.5, 1.0)}
"""Beyond these it is clearly elsewhere."""


@runtime_checkable
class Assertion(Protocol):
    """One thing that a sentence says."""

    def verdict(self, image: KnownImage) -> bool | None:
        """See the module."""
        ...


def objects_of(reference: Reference, image: KnownImage) -> list[KnownObject]:
    """The objects that "the red cup" may mean: red cups, or all cups where none is red."""
    nouns = image.classes.get(reference.noun, ())
    return [one for one in nouns if reference.color in (None, one.color)] or list(nouns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAssertion:
    """There is an object of this class."""

    noun: str

    def verdict(self, image: KnownImage) -> bool | None:
        """Never None."""
        return self.noun in image.classes


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorAssertion:
    """An object of this class has this colour."""

    noun: str
    color: str

    def verdict(self, image: KnownImage) -> bool | None:
        """None without an object of the class."""
        nouns = image.classes.get(self.noun)
        return None if nouns is None else any(one.color == self.color for one in nouns)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberAssertion:
    """There are exactly so many."""

    what: Reference
    number: int

    def verdict(self, image: KnownImage) -> bool | None:
        """None without an object of the class, unless the number is 0."""
        found = objects_of(self.what, image)
        return len(found) == self.number if found or self.number == 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationAssertion:
    """An object stands in a relation to another."""

    subject: Reference
    relation: Relation
    object: Reference

    def verdict(self, image: KnownImage) -> bool | None:
        """True where it holds for a pair that may be meant, False where all are ruled out."""
        verdicts = [
            image.relation(a, self.relation, b)
            for a in objects_of(self.subject, image)
            for b in objects_of(self.object, image)
            if a != b
        ]
        if True in verdicts:
            return True
        return None if None in verdicts or not verdicts else False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceAssertion:
    """An object is in this part of the image."""

    what: Reference
    place: Place

    def verdict(self, image: KnownImage) -> bool | None:
        """True where it holds for an object that may be meant, False where all are elsewhere."""
        shares = [one.box.center[0] / image.width for one in objects_of(self.what, image)]
        if any(_between(share, HOLDS[self.place]) for share in shares):
            return True
        possible = any(_between(share, POSSIBLE[self.place]) for share in shares)
        return None if possible or not shares else False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessAssertion:
    """Something that no image can show: an intention, what happens next."""

    def verdict(self, image: KnownImage) -> bool | None:
        """Never borne out."""
        return False


def _between(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]
