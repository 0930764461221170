"""Reads what a sentence of a caption says about a scene, by rule."""

import re
from bisect import bisect_left, bisect_right
from typing import Final

from groundrl.language.colors import COLOR_WORDS
from groundrl.language.markup import without_boxes
from groundrl.language.reading import Mention, Reading, parse_caption
from groundrl.language.words import fold_case
from groundrl.questions.references import Reference
from groundrl.world.captions.assertions import (
    Assertion,
    ColorAssertion,
    GuessAssertion,
    NumberAssertion,
    ObjectAssertion,
    Place,
    PlaceAssertion,
    RelationAssertion,
)
from groundrl.world.vocabulary import CLASSES

_GUESS: Final = re.compile(
    r"\b(?:may|maybe|might|could|would|will|soon|perhaps|probably|possibly|likely|seems?|must)\b"
)
"""Words that make a sentence a guess."""
_COLOR: Final = re.compile(
    rf"\s+(?:is|are|looks?)\s+({'|'.join(COLOR_WORDS)})(?=\s*(?:[.,;!?]|$|and\b|but\b))"
)
"""Behind a noun: "the cup **is red** and"."""
_PLACES: Final = {
    **{place.value: place for place in Place},
    "center": Place.MIDDLE,
    "centre": Place.MIDDLE,
}
_PLACE: Final = re.compile(
    rf"\b(?:on|in|at|to) the (?:far )?({'|'.join(_PLACES)})(?: (?:side|half|part))?"
    r"(?: of the (?:image|picture|photo|scene)\b|\b(?! of\b| (?:side|half|part) of\b))"
)


def read_assertions(sentence: str) -> tuple[Assertion, ...]:
    """What a sentence says, boxes in any grammar read as their labels; linear time, never raises.

    Every class of the world that it names is an object that it says is there ("no cup": that there
    is none). A colour before a noun, or behind it and "is", and a number before it (also "one") are
    attributes; a plural without a number leaves the number open. Relations are read between
    neighbouring nouns, except with "not"; a place belongs to the noun before it, else to the next
    one. A sentence with a word of guessing is a guess, of which only the objects are read besides.
    What is not of these forms says nothing.
    """
    reading = parse_caption(fold_case(without_boxes(sentence)), CLASSES)
    named = [mention for mention in reading.mentions if mention.number != 0]
    found: list[Assertion] = [ObjectAssertion(noun=mention.noun) for mention in named]
    if _GUESS.search(reading.text):
        return (*found, GuessAssertion())
    for mention in reading.mentions:
        found += _attributes(mention, reading.text)
    return (*found, *_relations(reading), *_places(reading))


def _reference(mention: Mention) -> Reference:
    return Reference(noun=mention.noun, color=mention.color)


def _attributes(mention: Mention, text: str) -> list[Assertion]:
    behind = _COLOR.match(text, mention.end)
    colors = [mention.color, None if behind is None else COLOR_WORDS[behind[1]]]
    found: list[Assertion] = [
        ColorAssertion(noun=mention.noun, color=color)
        for color in colors
        if color is not None and mention.number != 0
    ]
    if mention.number is not None:
        found.append(NumberAssertion(what=_reference(mention), number=mention.number))
    return found


def _relations(reading: Reading) -> list[Assertion]:
    return [
        RelationAssertion(
            subject=_reference(one.subject),
            relation=one.relation,
            object=_reference(one.object),
        )
        for one in reading.relations
        if not re.search(r"\bnot\b", reading.text[one.subject.end : one.start])
    ]


def _places(reading: Reading) -> list[Assertion]:
    mentions = reading.mentions
    starts, ends = [one.start for one in mentions], [one.end for one in mentions]
    found: list[Assertion] = []
    for place in _PLACE.finditer(reading.text):
        before = bisect_right(ends, place.start()) - 1
        chosen = before if before >= 0 else bisect_left(starts, place.end())
        if chosen < len(mentions):
            what = _reference(mentions[chosen])
            found.append(PlaceAssertion(what=what, place=_PLACES[place[1]]))
    return found
