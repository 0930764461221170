"""Number words."""

from typing import Final

NUMBERS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve"),
)
"""The word of each number from 0 to 12 stands at its index."""
