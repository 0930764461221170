"""How often, where and how the captions of the embedded world err."""

from dataclasses import dataclass, fields
from typing import Final

from groundrl.errors import UserError
from groundrl.relations import Relation
from groundrl.world.captions.assertions import Place
from groundrl.world.graph import Subject

OFTEN_NAMED: Final = {
    Subject.TABLETOP: ("cup", "book", "bottle", "lamp", "box", "bowl", "candle", "ball"),
    Subject.STREET: ("car", "tree", "house", "sign", "bus", "bin", "hydrant", "cone"),
}
"""What a captioner expects in such a place, first what it expects most."""
CONFUSED: Final = {
    "cyan": "blue",
    "orange": "red",
    "purple": "blue",
    "yellow": "orange",
    "gray": "purple",
    "green": "cyan",
    "blue": "purple",
    "red": "orange",
}
"""A colour -> the one that it is taken for; first the colours that are confused most."""
CONFUSED_RELATIONS: Final = (
    Relation.BEHIND,
    Relation.LEFT_OF,
    Relation.IN_FRONT_OF,
    Relation.RIGHT_OF,
)
"""Taken for their converse; first those that are confused most."""
CONFUSED_PLACES: Final = (Place.RIGHT, Place.MIDDLE, Place.LEFT)
"""First the place that is taken for another most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionErrors:
    """The share of what captions say, per type, that is wrong; each from 0 to 1.

    A captioner that errs at random is right wherever its likeliest word counts: greedy decoding of
    a policy trained on it hardly errs. ``habit`` is therefore the share of the errors that are
    always made in the same cases: of ``n`` equally frequent cases, case ``i`` goes wrong with
    probability ``habit clip(n rate - i, 0, 1) + (1 - habit) rate``, on average ``rate``.
    """

    hallucination: float = 0.0
    """Of the named objects, below 1: at most all classes of the subject that are absent."""
    attribute: float = 0.0
    """Of the objects' colours and of the numbers."""
    relationship: float = 0.0
    """Of the relations between two objects that are there."""
    location: float = 0.0
    """Of the places of objects that are there."""
    conjecture: float = 0.0
    """Of the captions: they end with a guess."""
    habit: float = 0.8

    def __post_init__(self) -> None:
        """Raises UserError for a number that is no share."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= 1 or (field.name == "hallucination" and value == 1):
                raise UserError(f"errors.{field.name}={value} is no share: type 0.25")

    def chance(self, rate: float, case: int, cases: int) -> float:
        """Probability of an error in this case; see the class."""
        always = min(max(cases * rate - case, 0.0), 1.0)
        return self.habit * always + (1 - self.habit) * rate


EXACT: Final = CaptionErrors()
"""No errors."""
