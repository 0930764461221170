"""Typed reading of JSON objects that others wrote."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from groundrl.boxes import Box, Frame
from groundrl.records import Grounding

Number = int | float
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Fields:
    """Values of a JSON object under their names. All raise ValueError."""

    row: Mapping[str, Any]

    @classmethod
    def of(cls, row: object) -> "Fields":
        """Of a JSON value that must be an object."""
        if not isinstance(row, dict):
            raise ValueError(f"expected an object, got {row!s:.40}")
        return cls(row)

    def __getitem__(self, name: str) -> Any:
        if name not in self.row:
            raise ValueError(f"it lacks the field {name!r}")
        return self.row[name]

    def _expect(self, name: str, fits: bool, what: str) -> Any:
        value = self[name]
        if not fits:
            raise ValueError(f"{name} must be {what}, got {value!r:.40}")
        return value

    def text(self, name: str) -> str:
        return encodable(self._expect(name, isinstance(self[name], str), "text"))

    def texts(self, name: str) -> tuple[str, ...]:
        value = self[name]
        fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return tuple(encodable(one) for one in self._expect(name, fits, "a list of texts"))

    def flag(self, name: str) -> bool:
        return self._expect(name, isinstance(self[name], bool), "true or false")

    def whole(self, name: str) -> int:
        return self._expect(name, _is_whole(self[name]), "a whole number")

    def wholes(self, name: str) -> list[int]:
        value = self[name]
        fits = isinstance(value, list) and all(map(_is_whole, value))
        return self._expect(name, fits, "a list of whole numbers")

    def size(self, name: str) -> tuple[int, int]:
        value = self[name]
        fits = isinstance(value, list) and len(value) == 2 and all(map(_is_whole, value))
        return cast(tuple[int, int], tuple(self._expect(name, fits, "width and height")))

    def number(self, name: str) -> float:
        return float(self._expect(name, _is_number(self[name]), "a number"))

    def numbers(self, name: str) -> dict[str, float]:
        value = self[name]
        fits = isinstance(value, dict) and all(map(_is_number, value.values()))
        found = self._expect(name, fits, "an object of numbers")
        return {key: float(number) for key, number in found.items()}

    def four(self, name: str) -> tuple[float, float, float, float]:
        value = self[name]
        fits = isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))
        found = self._expect(name, fits, "four numbers")
        return cast(tuple[float, float, float, float], tuple(map(float, found)))

    def truth(self, name: str) -> bool:
        """Of a statement; never of a text: "False" would be true."""
        return bool(self._expect(name, self[name] in (0, 1), "true or false, or 1 or 0"))

    def inner(self, name: str) -> "Fields":
        return Fields(self._expect(name, isinstance(self[name], dict), "an object"))

    def inners(self, name: str) -> list["Fields"]:
        value = self[name]
        fits = isinstance(value, list) and all(isinstance(one, dict) for one in value)
        return [Fields(one) for one in self._expect(name, fits, "a list of objects")]

    def groundings(self, name: str) -> tuple[Grounding, ...]:
        value = self[name]
        fits = isinstance(value, list) and all(map(_is_labelled_box, value))
        return tuple(
            Grounding(label=encodable(label), box=_box(*corners))
            for label, corners in self._expect(name, fits, "a list of [label, [x1, y1, x2, y2]]")
        )

    def spans(self, name: str) -> tuple[tuple[int, int], ...]:
        value = self[name]
        fits = isinstance(value, list) and all(
            isinstance(one, list) and len(one) == 2 and all(map(_is_whole, one)) for one in value
        )
        found = self._expect(name, fits, "a list of [start, end]")
        return tuple((start, end) for start, end in found)


def encodable(text: str) -> str:
    """A lone surrogate, which no file in UTF-8 can hold, becomes U+FFFD; places stay."""
    return _SURROGATE.sub("\ufffd", text)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_labelled_box(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
        return False
    corners = value[1]
    return isinstance(corners, list) and len(corners) == 4 and all(map(_is_number, corners))


def _box(x1: Number, y1: Number, x2: Number, y2: Number) -> Box:
    return Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL)
