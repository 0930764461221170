"""What boxes alone show of relations, with two margins.

A question is asked where the boxes leave no doubt for a person who looks at the image
(``is_beside``, ``extremes``: 5 % of the image, no overlap). A statement of a caption or a finished
sample is held against a narrower margin (``agrees``: 2 %): between the two, a statement is neither
asked about nor denied.
"""

from collections.abc import Sequence
from typing import Final

from groundrl.boxes import Box
from groundrl.relations import CONVERSE, Relation

MIN_GAP: Final = 0.05
"""Share of the image's width or height by which centres differ when a question calls one object
left of, above, or leftmost."""
MIN_AREA: Final = 0.001
"""Share of the image below which a box is too small to ask about; its object still counts."""
MIN_RATIO: Final = 1.5
"""Area of "the largest" over that of the second largest."""
LEFTMOST, RIGHTMOST, LARGEST = "leftmost", "rightmost", "largest"

MARGIN: Final = 0.02
"""Share of the image's side below which boxes do not decide a statement."""
CARRIES: Final = (0.1, 0.5)
"""Shares of an object's height, from its top, between which an object that stands on it has its
lower edge; an object behind it is hidden from its top on."""
CARRIED: Final = 0.9
"""Least share of a carried object's width that is over its carrier."""


def is_beside(relation: Relation, a: Box, b: Box, width: int, height: int) -> bool:
    """Whether ``a`` is clearly left of, right of, above or below ``b``: they do not overlap along
    the axis, and their centres differ by ``MIN_GAP`` of the image."""
    if relation in (Relation.RIGHT_OF, Relation.BELOW):
        return is_beside(CONVERSE[relation], b, a, width, height)
    if relation is Relation.LEFT_OF:
        return a.x2 <= b.x1 and b.center[0] - a.center[0] >= MIN_GAP * width
    return a.y2 <= b.y1 and b.center[1] - a.center[1] >= MIN_GAP * height


def extremes(boxes: Sequence[Box], width: int, height: int) -> dict[str, int]:
    """The index of the clear leftmost, rightmost and largest of several boxes; a word is left out
    where the lead is not clear."""
    found: dict[str, int] = {}
    gap = MIN_GAP * width
    for i, box in enumerate(boxes):
        others = [other for j, other in enumerate(boxes) if j != i]
        if not others or box.area < MIN_AREA * width * height:
            continue
        x = box.center[0]
        if all(x + gap <= other.center[0] and box.x1 <= other.x1 for other in others):
            found[LEFTMOST] = i
        if all(x - gap >= other.center[0] and box.x2 >= other.x2 for other in others):
            found[RIGHTMOST] = i
        if all(box.area >= MIN_RATIO * other.area for other in others):
            found[LARGEST] = i
    return found


def agrees(
    relation: Relation, a: Box, b: Box, others: Sequence[Box], width: int, height: int
) -> bool | None:
    """Whether "a is <relation> b" agrees with the boxes; None where they do not decide it.

    left, right, above, below: centres. in front, behind: where both touch the ground, since the
    nearer one does so lower in the image: at its lower edge, or, where it may stand on one of
    ``others``, anywhere down to their lower edges. on: a's lower edge lies within b's height and
    its centre within b's width. near: never decided.
    """
    (ax, ay), (bx, by) = a.center, b.center
    match relation:
        case Relation.LEFT_OF:
            return _sign(bx - ax, MARGIN * width)
        case Relation.RIGHT_OF:
            return _sign(ax - bx, MARGIN * width)
        case Relation.ABOVE:
            return _sign(by - ay, MARGIN * height)
        case Relation.BELOW:
            return _sign(ay - by, MARGIN * height)
        case Relation.IN_FRONT_OF:
            low, high = _ground(a, others), _ground(b, others)
            nearer = _sign(low[0] - high[1], MARGIN * height)
            farther = _sign(high[0] - low[1], MARGIN * height)
            return True if nearer else False if farther else None
        case Relation.BEHIND:
            return agrees(Relation.IN_FRONT_OF, b, a, others, width, height)
        case Relation.ON:
            slack = MARGIN * height
            return b.x1 <= ax <= b.x2 and b.y1 - slack <= a.y2 <= b.y2 + slack and ay < by
        case Relation.NEAR:
            return None


def _ground(box: Box, others: Sequence[Box]) -> tuple[float, float]:
    """The highest and the lowest place where an object may touch the ground, pixels from the
    top."""
    return box.y2, max([box.y2, *(other.y2 for other in others if _may_stand_on(box, other))])


def _may_stand_on(a: Box, b: Box) -> bool:
    low, high = (b.y1 + share * (b.y2 - b.y1) for share in CARRIES)
    over = min(a.x2, b.x2) - max(a.x1, b.x1)
    return low <= a.y2 <= high and over >= CARRIED * (a.x2 - a.x1)


def _sign(difference: float, margin: float) -> bool | None:
    return None if abs(difference) < margin else difference > 0
