"""Images of which only boxes with classes are known, and the kinds of question they answer."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from groundrl.questions.box_relations import MIN_AREA, agrees, is_beside
from groundrl.questions.counts import count_in_digits
from groundrl.questions.draft import Asker, Draft
from groundrl.questions.draws import Draws
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.places import SIDES, further, multi_side_of_unique
from groundrl.questions.pointing import locate_by_boxes
from groundrl.questions.things import IN_PICTURE, multi_present, presence
from groundrl.relations import CONVERSE, Relation

MAX_BOXES: Final = 6
"""Objects of a class that a rationale can point at."""


def known_from_boxes(
    objects: Sequence[KnownObject],
    *,
    width: int,
    height: int,
    names: Sequence[str],
    uncertain: frozenset[str] = frozenset(),
) -> KnownImage:
    """What boxes show of an image of this size. ``names`` are all classes that an annotator or a
    detector looked for; of ``uncertain`` ones there may be more than ``objects``."""
    classes: dict[str, tuple[KnownObject, ...]] = {}
    for one in sorted(objects, key=lambda one: one.box.center):
        if one.noun not in uncertain:
            classes[one.noun] = (*classes.get(one.noun, ()), one)
    least = MIN_AREA * width * height
    boxes = [one.box for one in objects]

    def relation(a: KnownObject, relation: Relation, b: KnownObject) -> bool | None:
        if relation not in SIDES:
            return None
        if is_beside(relation, a.box, b.box, width, height):
            return True
        return False if is_beside(CONVERSE[relation], a.box, b.box, width, height) else None

    def proves(a: KnownObject, relation: Relation, b: KnownObject) -> bool | None:
        return agrees(relation, a.box, b.box, boxes, width, height)

    return KnownImage(
        width=width,
        height=height,
        objects=tuple(objects),
        classes=classes,
        pointable={
            noun: items
            for noun, items in classes.items()
            if len(items) <= MAX_BOXES and all(one.box.area >= least for one in items)
        },
        uncertain=uncertain,
        absent=tuple(name for name in names if name not in classes and name not in uncertain),
        relation=relation,
        proves=proves,
    )


def multi(image: KnownImage, draws: Draws) -> Draft | None:
    """Several answers: which of these are in the picture, or on one side of an object?"""
    first = draws.choice((multi_side_of_unique, multi_present))
    second = multi_present if first is multi_side_of_unique else multi_side_of_unique
    return first(image, draws) or second(image, draws)


BOX_KINDS: Final[dict[str, Asker]] = {
    "exists": partial(presence, places=(IN_PICTURE,), options=("yes", "no")),
    "count": count_in_digits,
    "relation": partial(further, relations=SIDES),
    "locate": locate_by_boxes,
    "multi": multi,
}
"""Kinds of question that boxes answer. A module adds a kind of its own as one more entry."""
