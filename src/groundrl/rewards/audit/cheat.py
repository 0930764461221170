"""What a cheat is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheat:
    """A completion that is worse than an honest one on purpose."""

    name: str
    text: str
    """Boxes in pixels."""
    worse_in: frozenset[str]
    """Aspects of ``yardstick.py``. The bank keeps those that the yardstick confirms: a box over the
    whole image is right where the object fills it."""
