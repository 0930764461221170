"""What can be asked about in an image of which only the boxes are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundrl.boxes import Box
from groundrl.data.claims import LARGEST, LEFTMOST, RIGHTMOST
from groundrl.data.detection import AnnotatedImage
from groundrl.records import Grounding
from groundrl.relations import CONVERSE, Relation

MIN_AREA: Final = 0.001
"""Share of the image below which a box is too small to ask about; it still is there."""
MAX_BOXES: Final = 6
"""Boxes in a rationale."""
MIN_GAP: Final = 0.05
"""Share of the image's width or height by which centres differ when one is called left of,
above, or leftmost."""
MIN_RATIO: Final = 1.5
"""Area of "the largest" over that of the second largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What may be asked about in one image."""

    width: int
    height: int
    everything: dict[str, tuple[Grounding, ...]]
    """Boxes by class, tiny ones too; classes with crowds left out."""
    whole: dict[str, tuple[Grounding, ...]]
    """The classes of which every object can be pointed at: no tiny box, at most six."""
    unique: tuple[Grounding, ...]
    """The objects that are the only one of their class."""
    absent: tuple[str, ...]
    """Class names of which there is none."""


def view(image: AnnotatedImage, names: Sequence[str]) -> View:
    """Sort the boxes of an image into what can and cannot be asked about."""
    everything: dict[str, tuple[Grounding, ...]] = {}
    for item in sorted(image.groundings, key=lambda item: item.box.center):
        if item.label not in image.uncounted:
            everything[item.label] = (*everything.get(item.label, ()), item)
    size = image.image.width * image.image.height
    whole = {
        label: items
        for label, items in everything.items()
        if len(items) <= MAX_BOXES and all(item.box.area >= MIN_AREA * size for item in items)
    }
    present = image.uncounted.union(everything)
    return View(
        width=image.image.width,
        height=image.image.height,
        everything=everything,
        whole=whole,
        unique=tuple(items[0] for items in whole.values() if len(items) == 1),
        absent=tuple(name for name in names if name not in present),
    )


def is_beside(relation: Relation, a: Box, b: Box, width: int, height: int) -> bool:
    """Whether ``a`` is clearly left of, right of, above or below ``b``: they do not overlap along
    the axis, and their centres differ by 5 % of the image."""
    if relation in (Relation.RIGHT_OF, Relation.BELOW):
        return is_beside(CONVERSE[relation], b, a, width, height)
    if relation is Relation.LEFT_OF:
        return a.x2 <= b.x1 and b.center[0] - a.center[0] >= MIN_GAP * width
    return a.y2 <= b.y1 and b.center[1] - a.center[1] >= MIN_GAP * height


def extremes(items: Sequence[Grounding], view: View) -> dict[str, Grounding]:
    """The clear leftmost, rightmost and largest of several objects, where they can be asked for."""
    found: dict[str, Grounding] = {}
    if len(items) < 2:
        return found
    big = MIN_AREA * view.width * view.height
    for item in items:
        others = [other.box for other in items if other is not item]
        x, gap, box = item.box.center[0], MIN_GAP * view.width, item.box
        if box.area < big:
            continue
        if all(x + gap <= other.center[0] and box.x1 <= other.x1 for other in others):
            found[LEFTMOST] = item
        if all(x - gap >= other.center[0] and box.x2 >= other.x2 for other in others):
            found[RIGHTMOST] = item
        if all(box.area >= MIN_RATIO * other.area for other in others):
            found[LARGEST] = item
    return found
