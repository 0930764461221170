"""What the answer to a question about boxes asserts: the question is its words, and the boxes can
prove it."""

from dataclasses import dataclass
from typing import Final

from groundrl.language.words import plural, verb_be, with_article
from groundrl.relations import Relation

FURTHER: Final = {
    Relation.LEFT_OF: "further left",
    Relation.RIGHT_OF: "further right",
    Relation.ABOVE: "higher up",
    Relation.BELOW: "lower down",
    Relation.BEHIND: "further away",
    Relation.IN_FRONT_OF: "nearer",
}
"""How a relation is asked for."""
LEFTMOST, RIGHTMOST, LARGEST = "leftmost", "rightmost", "largest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """There is a thing of this class, or none."""

    noun: str

    @property
    def question(self) -> str:
        """Is there a dog in the picture?"""
        return f"{verb_be(self.noun).capitalize()} there {with_article(self.noun)} in the picture?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """So many things of this class are there."""

    noun: str

    @property
    def question(self) -> str:
        """How many dogs are in the picture?"""
        return f"How many {plural(self.noun)} are in the picture?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """Of two things that are the only ones of their class, one stands so to the other."""

    relation: Relation
    nouns: tuple[str, str]
    """In the order of the question."""

    @property
    def question(self) -> str:
        """Which is further left, the dog or the cat?"""
        first, second = self.nouns
        return f"Which is {FURTHER[self.relation]}, the {first} or the {second}?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """One thing is meant: the only one of its class, of its colour, or the one furthest out."""

    noun: str
    which: str = ""
    """A colour, leftmost, rightmost or largest; empty: the only one."""

    @property
    def question(self) -> str:
        """Where is the leftmost dog?"""
        return f"Where {verb_be(self.noun)} the {self.which}{' ' * bool(self.which)}{self.noun}?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The answers are the classes that are there, the other options are not."""

    @property
    def question(self) -> str:
        """Which of these are in the picture?"""
        return "Which of these are in the picture?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The answers stand so to the anchor, the other options do not; all are the only ones of their
    class."""

    relation: Relation
    anchor: str

    @property
    def question(self) -> str:
        """Which of these are left of the dog?"""
        return f"Which of these are {self.relation} the {self.anchor}?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Colored:
    """The only thing of its class has this colour."""

    noun: str

    @property
    def question(self) -> str:
        """What color is the cup?"""
        return f"What color {verb_be(self.noun)} the {self.noun}?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Every phrase names what it points at."""

    question: str


Claim = Exists | Count | Further | Where | Present | Beside | Colored | Described
