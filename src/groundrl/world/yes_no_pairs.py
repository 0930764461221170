"""Pairs of questions about a scene of which one is to be answered with yes and one with no, as MME
asks them."""

from collections.abc import Callable

import numpy as np

from groundrl.questions.draft import Draft
from groundrl.questions.draws import NumpyDraws
from groundrl.questions.known import KnownImage
from groundrl.questions.places import DEPTHS, SIDES
from groundrl.questions.things import presence_of_class
from groundrl.questions.yes_no import (
    colored_draft,
    numbered_draft,
    related_cases,
    related_draft,
    wrong_color,
    wrong_count,
)
from groundrl.relations import CONVERSE
from groundrl.world.graph import Scene
from groundrl.world.known import known_scene

YesNoPair = tuple[Draft, Draft]
"""Two questions about the same thing, the first to be answered with yes, the second with no."""


def existence(image: KnownImage, draws: NumpyDraws) -> YesNoPair:
    """Something that is there, and something that is not."""
    noun, absent = draws.choice(sorted(image.classes)), draws.choice(image.absent)
    return presence_of_class(noun, image, draws), presence_of_class(absent, image, draws)


def count(image: KnownImage, draws: NumpyDraws) -> YesNoPair:
    """The right number of something, and one more or one less."""
    noun = draws.choice(sorted(image.classes))
    true = len(image.classes[noun])
    wrong = wrong_count(true, draws)
    return numbered_draft(noun, true, image, draws), numbered_draft(noun, wrong, image, draws)


def position(image: KnownImage, draws: NumpyDraws) -> YesNoPair | None:
    """A relation that holds, and its converse between the same two objects."""
    cases = related_cases(image, (*SIDES[:2], *DEPTHS))[True]
    if not cases:
        return None
    a, relation, b = draws.choice(cases)
    return (
        related_draft(a, relation, b, image, draws),
        related_draft(a, CONVERSE[relation], b, image, draws),
    )


def color(image: KnownImage, draws: NumpyDraws) -> YesNoPair | None:
    """The colour of something, and another one, seen elsewhere in the scene where possible."""
    if not image.alone_in_class:
        return None
    one = draws.choice(image.alone_in_class)
    wrong = wrong_color(one, image, draws)
    return colored_draft(one, str(one.color), image, draws), colored_draft(one, wrong, image, draws)


_PAIRS: dict[str, Callable[[KnownImage, NumpyDraws], YesNoPair | None]] = {
    "existence": existence,
    "count": count,
    "position": position,
    "color": color,
}
PAIR_TASKS = tuple(_PAIRS)
"""Tasks of MME that the world can ask, by MME's names."""


def draw_pair(scene: Scene, task: str, rng: np.random.Generator) -> YesNoPair | None:
    """A pair of one of ``PAIR_TASKS``, or None where the scene has none."""
    return _PAIRS[task](known_scene(scene), NumpyDraws(rng))
