"""Spatial relations between two objects: their names and converses."""

from enum import StrEnum


class Relation(StrEnum):
    """How the subject stands to the object: "the cup is <relation> the lamp"."""

    LEFT_OF = "left of"
    RIGHT_OF = "right of"
    IN_FRONT_OF = "in front of"
    BEHIND = "behind"
    ABOVE = "above"
    BELOW = "below"
    NEAR = "near"
    ON = "on"


CONVERSE: dict[Relation, Relation] = {
    Relation.LEFT_OF: Relation.RIGHT_OF,
    Relation.RIGHT_OF: Relation.LEFT_OF,
    Relation.IN_FRONT_OF: Relation.BEHIND,
    Relation.BEHIND: Relation.IN_FRONT_OF,
    Relation.ABOVE: Relation.BELOW,
    Relation.BELOW: Relation.ABOVE,
    Relation.NEAR: Relation.NEAR,
}
"""``r(a, b)`` exactly when ``CONVERSE[r](b, a)``; "on" has no word for its converse."""
