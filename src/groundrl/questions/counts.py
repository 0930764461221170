"""Kinds of question about how many objects there are; the number is drawn first, so that small
numbers are not the answer to nearly every question."""

from collections.abc import Sequence
from typing import Final

from groundrl.language.numbers import NUMBERS
from groundrl.questions.claims import Count
from groundrl.questions.draft import Draft, choice
from groundrl.questions.draws import Draws, T, up_to
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.places import surroundings
from groundrl.questions.references import REFERRING_RELATIONS, Reference
from groundrl.questions.sentences import tally
from groundrl.questions.things import IN_PICTURE, MAX_OPTIONS

COUNTS: Final = NUMBERS[:6]
"""Options of a question whose answer is a number word."""
MAX_BOXES: Final = 4
"""Of a rationale that counts."""


def count_in_words(image: KnownImage, draws: Draws) -> Draft | None:
    """ "How many objects are red?", "… cups are there?", "… objects are left of the lamp?" """
    cases = [
        (len(objects), (what, objects, landmark))
        for what, objects, landmark in [*_by_color(image), *_by_class(image), *_by_place(image)]
        if len(objects) + (landmark is not None) <= MAX_BOXES
    ]
    drawn = _draw_number(cases, draws)
    if drawn is None:
        return None
    number, (what, objects, landmark) = drawn
    place = None if landmark is None else (str(what.relation), image.phrase(landmark))
    rationales = tally(image.phrases(objects), COUNTS[number], place)
    wrong = up_to(MAX_OPTIONS - 1, [word for word in COUNTS if word != COUNTS[number]], draws)
    rationale = draws.choice(rationales)
    return choice(Count(what=what), rationale, [COUNTS[number]], wrong, draws)


def count_in_digits(image: KnownImage, draws: Draws) -> Draft | None:
    """ "How many dogs are in the picture?" Four neighbouring numbers to choose from."""
    cases = [(len(image.pointable[noun]), noun) for noun in sorted(image.pointable)]
    drawn = _draw_number(cases, draws)
    if drawn is None:
        return None
    number, noun = drawn
    first = draws.randint(max(0, number - MAX_OPTIONS + 1), number)
    return Draft(
        claim=Count(what=Reference(noun=noun), where=IN_PICTURE),
        rationale=draws.choice(tally(image.phrases(image.pointable[noun]), str(number))),
        options=tuple(str(first + offset) for offset in range(MAX_OPTIONS)),
        answers=(str(number),),
    )


Case = tuple[Reference, Sequence[KnownObject], KnownObject | None]
"""What is counted, all of it, and what its relation is to."""


def _by_color(image: KnownImage) -> list[Case]:
    colors = sorted({one.color for one in image.objects if one.color})
    return [
        (Reference(color=color), [one for one in image.objects if one.color == color], None)
        for color in colors
    ]


def _by_class(image: KnownImage) -> list[Case]:
    return [
        (Reference(noun=noun), objects, None) for noun, objects in sorted(image.pointable.items())
    ]


def _by_place(image: KnownImage) -> list[Case]:
    return [
        (
            Reference(relation=around.relation, landmark=around.name),
            around.inside,
            around.landmark,
        )
        for around in surroundings(image, REFERRING_RELATIONS[:4], image.objects)
        if around.complete
    ]


def _draw_number(cases: list[tuple[int, T]], draws: Draws) -> tuple[int, T] | None:
    if not cases:
        return None
    number = draws.choice(sorted({number for number, _ in cases}))
    return number, draws.choice([case for other, case in cases if other == number])
