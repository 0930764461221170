"""Whether two boxes bear out what is said of them."""

from collections.abc import Sequence
from typing import Final

from groundrl.boxes import Box
from groundrl.relations import Relation

MARGIN: Final = 0.02
"""Share of the image's side below which nothing is decided."""
CARRIES: Final = (0.1, 0.5)
"""Shares of a thing's height, from its top, between which what stands on it has its lower edge;
what is behind it is hidden from its top on."""
CARRIED: Final = 0.9
"""Least share of a carried thing's width that is over its carrier."""


def borne_out(
    relation: Relation, a: Box, b: Box, things: Sequence[Box], width: int, height: int
) -> bool | None:
    """Whether "a is <relation> b" agrees with the boxes; None where they cannot tell.

    left, right, above, below: centres. in front, behind: where both touch the ground, since the
    nearer one does so lower in the image: at its lower edge, or, where it may stand on another of
    the ``things``, anywhere down to theirs. on: a's lower edge lies within b's height and its
    centre within b's width. near: never told.
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
            low, high = _ground(a, things), _ground(b, things)
            nearer = _sign(low[0] - high[1], MARGIN * height)
            farther = _sign(high[0] - low[1], MARGIN * height)
            return True if nearer else False if farther else None
        case Relation.BEHIND:
            return borne_out(Relation.IN_FRONT_OF, b, a, things, width, height)
        case Relation.ON:
            slack = MARGIN * height
            return b.x1 <= ax <= b.x2 and b.y1 - slack <= a.y2 <= b.y2 + slack and ay < by
        case Relation.NEAR:
            return None


def _ground(box: Box, things: Sequence[Box]) -> tuple[float, float]:
    """The highest and the lowest place where a thing may touch the ground, pixels from the top."""
    return box.y2, max([box.y2, *(thing.y2 for thing in things if _may_stand_on(box, thing))])


def _may_stand_on(a: Box, b: Box) -> bool:
    low, high = (b.y1 + share * (b.y2 - b.y1) for share in CARRIES)
    over = min(a.x2, b.x2) - max(a.x1, b.x1)
    return low <= a.y2 <= high and over >= CARRIED * (a.x2 - a.x1)


def _sign(difference: float, margin: float) -> bool | None:
    return None if abs(difference) < margin else difference > 0
