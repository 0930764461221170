"""Spatial relations between two objects: their names, converses and words."""

from enum import StrEnum
from typing import Final


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

RELATION_WORDS: Final = {
    "to the left of": Relation.LEFT_OF,
    "on the left of": Relation.LEFT_OF,
    "left of": Relation.LEFT_OF,
    "to the right of": Relation.RIGHT_OF,
    "on the right of": Relation.RIGHT_OF,
    "right of": Relation.RIGHT_OF,
    "in front of": Relation.IN_FRONT_OF,
    "behind": Relation.BEHIND,
    "above": Relation.ABOVE,
    "below": Relation.BELOW,
    "beneath": Relation.BELOW,
    "under": Relation.BELOW,
    "on top of": Relation.ON,
    "on": Relation.ON,
    "next to": Relation.NEAR,
    "beside": Relation.NEAR,
    "near": Relation.NEAR,
}
"""Words of a text -> the relation they name."""
