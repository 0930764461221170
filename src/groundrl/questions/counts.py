"""Kinds of question about how many objects there are; the number is drawn first, so that small
numbers are not the answer to nearly every question."""

from typing import Final

from groundrl.language.numbers import NUMBERS
from groundrl.language.words import verb_be
from groundrl.questions.claims import Count
from groundrl.questions.draft import Draft, choice
from groundrl.questions.draws import Draws, T, up_to
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.places import surroundings
from groundrl.questions.references import REFERRING_RELATIONS, Reference
from groundrl.questions.sentences import listing, state, there_is, weave
from groundrl.questions.things import MAX_OPTIONS
from groundrl.records import Segments

COUNTS: Final = NUMBERS[:6]
"""Options of a question whose answer is a number word."""
MAX_BOXES: Final = 4
"""Of a rationale that counts."""


def count_in_words(image: KnownImage, draws: Draws) -> Draft | None:
    """ "How many objects are red?", "… cups are there?", "… objects are left of the lamp?" """
    cases = [
        (number, case)
        for number, case in [*_by_color(image), *_by_class(image), *_by_place(image)]
        if sum(not isinstance(part, str) for part in case[1]) <= MAX_BOXES
    ]
    drawn = _draw_number(cases, draws)
    if drawn is None:
        return None
    number, (what, rationale) = drawn
    wrong = up_to(MAX_OPTIONS - 1, [word for word in COUNTS if word != COUNTS[number]], draws)
    return choice(Count(what=what), rationale, [COUNTS[number]], wrong, draws)


def count_in_digits(image: KnownImage, draws: Draws) -> Draft | None:
    """ "How many dogs are in the picture?" Four neighbouring numbers to choose from."""
    cases = [(len(image.pointable[noun]), noun) for noun in sorted(image.pointable)]
    drawn = _draw_number(cases, draws)
    if drawn is None:
        return None
    number, noun = drawn
    first = draws.randint(max(0, number - MAX_OPTIONS + 1), number)
    verb = "are" if number > 1 else verb_be(noun)
    items = image.phrases(image.pointable[noun])
    return Draft(
        claim=Count(what=Reference(noun=noun), in_picture=True),
        rationale=weave(f"There {verb} ", *listing(items), f": that makes {number}."),
        options=tuple(str(first + offset) for offset in range(MAX_OPTIONS)),
        answers=(str(number),),
    )


Case = tuple[int, tuple[Reference, Segments]]
"""A number, what there is so many of, and the reasoning."""


def _by_color(image: KnownImage) -> list[Case]:
    colors = sorted({one.color for one in image.objects if one.color})
    found = [(color, [o for o in image.objects if o.color == color]) for color in colors]
    return [
        (len(objects), (Reference(color=color), state(image.phrases(objects), color)))
        for color, objects in found
    ]


def _by_class(image: KnownImage) -> list[Case]:
    return [
        (len(objects), (Reference(noun=noun), _there_are(objects, image)))
        for noun, objects in sorted(image.pointable.items())
    ]


def _there_are(objects: tuple[KnownObject, ...], image: KnownImage) -> Segments:
    return there_is(image.phrases(objects), verb="are" if len(objects) > 1 else None)


def _by_place(image: KnownImage) -> list[Case]:
    cases = []
    for around in surroundings(image, REFERRING_RELATIONS[:4], image.objects):
        if around.complete:
            landmark, relation = image.phrase(around.landmark), around.relation
            rationale = (
                state(image.phrases(around.inside), relation, landmark)
                if around.inside
                else weave(f"No object is {relation} the ", landmark, ".")
            )
            what = Reference(relation=relation, landmark=around.name)
            cases.append((len(around.inside), (what, rationale)))
    return cases


def _draw_number(cases: list[tuple[int, T]], draws: Draws) -> tuple[int, T] | None:
    if not cases:
        return None
    number = draws.choice(sorted({number for number, _ in cases}))
    return number, draws.choice([case for other, case in cases if other == number])
