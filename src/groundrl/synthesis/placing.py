"""Whether two boxes bear out what is said of them."""

from typing import Final

from groundrl.boxes import Box
from groundrl.scenes.relations import Relation

MARGIN: Final = 0.02
"""Share of the picture's side below which nothing is decided."""


def borne_out(relation: Relation, a: Box, b: Box, width: int, height: int) -> bool | None:
    """Whether "a is <relation> b" agrees with the boxes; None where they cannot tell.

    left, right, above, below: centres. in front, behind: lower edges, since of two things on the
    same ground the nearer one stands lower in the picture. on: a's lower edge lies within b's
    height and its centre within b's width. near: never told.
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
            return _sign(a.y2 - b.y2, MARGIN * height)
        case Relation.BEHIND:
            return _sign(b.y2 - a.y2, MARGIN * height)
        case Relation.ON:
            slack = MARGIN * height
            return b.x1 <= ax <= b.x2 and b.y1 - slack <= a.y2 <= b.y2 + slack and ay < by
        case Relation.NEAR:
            return None


def _sign(difference: float, margin: float) -> bool | None:
    return None if abs(difference) < margin else difference > 0
