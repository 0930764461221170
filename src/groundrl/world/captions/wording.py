"""Wordings of the sentences of a description; every one of them is read by ``read_assertions``."""

from collections.abc import Sequence
from typing import Final

from groundrl.language.numbers import NUMBERS
from groundrl.language.words import article, plural
from groundrl.questions.draws import Draws
from groundrl.questions.sentences import capitalized, listing, weave
from groundrl.records import Grounding, Segments
from groundrl.relations import Relation
from groundrl.world.captions.assertions import Place
from groundrl.world.graph import Subject

WHERE: Final = {Subject.TABLETOP: "On the table ", Subject.STREET: "On the street "}
RELATION_WORDINGS: Final = {
    Relation.LEFT_OF: ("left of",),
    Relation.RIGHT_OF: ("right of",),
    Relation.IN_FRONT_OF: ("in front of",),
    Relation.BEHIND: ("behind",),
    Relation.NEAR: ("near", "next to"),
    Relation.ON: ("on", "on top of"),
}
"""The relations of descriptions."""
_ACTS: Final = {
    "ball": "play with",
    "book": "read",
    "bottle": "open",
    "bowl": "eat from",
    "box": "open",
    "candle": "light",
    "cup": "drink from",
    "lamp": "use",
    "bin": "use",
    "bus": "take",
    "car": "take",
    "cone": "move",
    "house": "open",
    "hydrant": "use",
    "sign": "read",
    "tree": "climb",
}
_GUESSES: Final = (
    "Someone may soon {act} the ",
    "Perhaps someone is about to {act} the ",
    "It seems that someone wants to {act} the ",
)


def name_all(items: Sequence[Grounding], subject: Subject, draws: Draws) -> Segments:
    """ "On the table there is a red cup, a blue cup and a lamp." """
    begin = draws.choice(("There is ", f"{WHERE[subject]}there is ", "The image has "))
    return weave(begin, *listing(items, "a"), ".")


def count(noun: str, number: int, draws: Draws) -> Segments:
    """ "There are two cups." """
    what = f"{NUMBERS[number]} {noun if number == 1 else plural(noun)}"
    verb = "is" if number == 1 else "are"
    return (draws.choice((f"There {verb} {what}.", f"I see {what}.")),)


def state_color(one: Grounding, color: str, draws: Draws) -> Segments:
    """ "The cup is red." """
    return ("The ", one, f" {draws.choice(('is', 'looks'))} {color}.")


def relate(a: Grounding, relation: Relation, b: Grounding, draws: Draws) -> Segments:
    """ "The red cup is left of the lamp." """
    words = draws.choice(RELATION_WORDINGS[relation])
    begin, verb = draws.choice((("The ", " is "), ("I see the ", " ")))
    return (begin, a, f"{verb}{words} the ", b, ".")


def place(one: Grounding, where: Place, draws: Draws) -> Segments:
    """ "In the image the red cup is on the left." Not "left of the image", which would begin as a
    relation does."""
    words = f"{'in' if where is Place.MIDDLE else 'on'} the {where}"
    if draws.random() < 0.5:
        return ("In the image the ", one, f" is {words}.")
    return capitalized(weave(f"{words} there is ", article(one.label), one, "."))


def guess(noun: str, one: Grounding, draws: Draws) -> Segments:
    """ "Someone may soon drink from the red cup." """
    return (draws.choice(_GUESSES).format(act=_ACTS[noun]), one, ".")
