"""SceneSpec -> which objects there are: classes, colours, materials, and who stands on whom."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from groundrl.errors import UserError
from groundrl.world.graph import SceneSpec, Subject
from groundrl.world.ray_tracer.shapes import RIDERS, SUPPORTS
from groundrl.world.vocabulary import CATEGORIES, COLORS, MATERIALS

MAX_OBJECTS: Final = 8
REPEAT_PROBABILITY: Final = 0.25
"""That an object repeats a class of the scene; it then has another colour, so that
"color category" names one object."""
STACK_PROBABILITY: Final = 0.5
"""That a fitting object stands on a fitting other one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What an object is, before it has a place."""

    category: str
    color: str
    material: str
    on: int | None
    """Index of the thing it stands on."""


def check_spec(spec: SceneSpec) -> None:
    """Raises UserError when the spec asks for something that no scene can be."""
    if not 1 <= spec.min_objects <= spec.max_objects <= MAX_OBJECTS:
        raise UserError(
            f"a scene holds 1 to {MAX_OBJECTS} objects, but min_objects={spec.min_objects} and "
            f"max_objects={spec.max_objects}: set 1 <= min_objects <= max_objects <= {MAX_OBJECTS}"
        )
    if spec.seed < 0 or spec.index < 0:
        raise UserError(
            f"seed and index of a scene count from 0, got seed={spec.seed}, index={spec.index}"
        )
    if min(spec.width, spec.height) < 64 or not 0.75 <= spec.width / spec.height <= 3:
        raise UserError(
            f"a scene of {spec.width} x {spec.height} pixels leaves no room for objects: "
            "both sides need 64 pixels, and width / height must lie between 0.75 and 3"
        )


def generator(spec: SceneSpec, *path: int) -> np.random.Generator:
    """Random numbers of a part of the scene; independent of look, image size and history."""
    entropy = (spec.seed, spec.index, list(Subject).index(spec.subject), *path)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def draw_things(spec: SceneSpec, rng: np.random.Generator) -> list[Thing]:
    """Classes, colours, materials, and which thing stands on which earlier one."""
    count = int(rng.integers(spec.min_objects, spec.max_objects + 1))
    fresh = [str(name) for name in rng.permutation(CATEGORIES[spec.subject])]
    names: list[str] = []
    taken: set[tuple[str, str]] = set()
    things: list[Thing] = []
    for _ in range(count):
        repeat = names and (not fresh or rng.random() < REPEAT_PROBABILITY)
        category = names[rng.integers(len(names))] if repeat else fresh.pop()
        free = [color for color in COLORS if (category, color) not in taken]
        color = free[rng.integers(len(free))]
        taken.add((category, color))
        names.append(category)
        material = MATERIALS[rng.integers(len(MATERIALS))]
        things.append(Thing(category=category, color=color, material=material, on=None))
    supports = [thing for thing in things if thing.category in SUPPORTS]
    riders = [thing for thing in things if thing.category in RIDERS]
    if supports and riders and rng.random() < STACK_PROBABILITY:
        below = supports[rng.integers(len(supports))]
        above = riders[rng.integers(len(riders))]
        rest = [thing for thing in things if thing is not below and thing is not above]
        things = [below, replace(above, on=0), *rest]
    return things
