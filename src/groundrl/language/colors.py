"""Colour words."""

from typing import Final

_NAMES = (
    *("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown"),
    *("black", "white", "gray"),
)
COLOR_WORDS: Final = {
    **{name: name for name in _NAMES},
    "grey": "gray",
    "violet": "purple",
    "turquoise": "cyan",
}
"""A word that a text may use -> the name of the colour."""
