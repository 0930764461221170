"""The interface of grammars: render a response, parse any text."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from groundrl.boxes import Box, Frame
from groundrl.records import Grounding, Response, Segments

MAX_COORDINATE = 1e6
"""Largest coordinate that is read or written: beyond any image, and areas still fit a float."""

NUMBER_START = r"(?:[-+]?(?i:[\d.]|nan|inf))"
"""Regular expression of how a number begins, NaN and infinity included."""
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NON_FINITE = re.compile(r"[-+]?(?:nan|inf|infinity)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The content of a model's text, and what is wrong with it."""

    reasoning: Segments
    """Text and valid groundings up to the last ``</think>``; empty without one."""
    groundings: tuple[Grounding, ...]
    """All valid boxes anywhere in the text, in reading order, in the frame given to ``parse``."""
    spans: tuple[tuple[int, int], ...]
    """Start and end of each of ``groundings`` in the text, in rising order, without overlap."""
    answer: str | None
    """The stripped answer, with or without tags (``reasoning.divide``); None without one."""
    answer_span: tuple[int, int] | None
    """Start and end of ``answer`` in the text."""
    tagged_answer: str | None
    """The strict reading: stripped text of the first ``<answer>`` block; None when it is missing or
    never closed."""
    failures: tuple[str, ...]
    """Reasons why the text is not well-formed, each once, in words."""
    damaged: tuple[str, ...]
    """Those of ``failures`` about boxes that start but cannot be read."""

    @property
    def well_formed(self) -> bool:
        """One think block, one non-empty answer after it, nothing else, and no damaged box."""
        return not self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The position of a grounding in a text: ``text[start:end]``."""

    start: int
    end: int
    grounding: Grounding


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBoxes:
    """The boxes of a text."""

    spans: tuple[Span, ...]
    """In reading order, without overlap."""
    failures: tuple[str, ...]
    """Why boxes could not be read, each reason once."""
    slips: tuple[str, ...] = ()
    """What is wrong with boxes that could be read all the same, each once."""

    @property
    def groundings(self) -> tuple[Grounding, ...]:
        """Labels and boxes in reading order. A label is empty where the text gives none."""
        return tuple(span.grounding for span in self.spans)

    def segments(self, text: str) -> Segments:
        """The text split into strings and groundings."""
        parts: list[str | Grounding] = []
        position = 0
        for span in self.spans:
            parts += [text[position : span.start], span.grounding]
            position = span.end
        parts.append(text[position:])
        return tuple(part for part in parts if part != "")


@runtime_checkable
class Grammar(Protocol):
    """A notation of grounded answers. Grammars hold no state."""

    @property
    def name(self) -> str:
        """Name of the option that selects it."""
        ...

    @property
    def syntax(self) -> str:
        """An example of a box, for instructions to the model."""
        ...

    @property
    def frames(self) -> frozenset[Frame]:
        """The frames in which it writes and reads boxes."""
        ...

    def render(self, response: Response) -> str:
        """The response as text. Coordinates are whole numbers, in the UNIT frame three decimals;
        native grammars have units of their own.

        Raises ValueError when the text would not parse to the (rounded) response: neighbouring
        or empty strings, boxes of two frames, an answer that is empty or padded with blanks,
        coordinates beyond 1e6, or a label or text with the grammar's own delimiters in it.
        """
        ...

    def render_segments(self, segments: Segments) -> str:
        """Text and boxes, without think and answer tags. Raises ValueError like ``render``."""
        ...

    def parse(self, text: str, frame: Frame) -> Parsed:
        """Read any text, with boxes in ``frame``, one of ``frames``. Never raises; takes linear
        time."""
        ...

    def find_boxes(self, text: str, frame: Frame) -> FoundBoxes:
        """The boxes of any text, in ``frame``, without a look at reasoning and answer. Never
        raises; takes linear time."""
        ...


def round_box(box: Box) -> Box:
    """The box rounded to what is written: whole numbers, in the UNIT frame three decimals."""
    x1, y1, x2, y2 = (float(format_coordinate(value, box.frame)) for value in box.corners)
    return replace(box, x1=x1, y1=y1, x2=x2, y2=y2)


def round_segments(segments: Segments) -> Segments:
    """The segments with every box rounded as in ``round_box``."""
    return tuple(
        part if isinstance(part, str) else replace(part, box=round_box(part.box))
        for part in segments
    )


def format_coordinate(value: float, frame: Frame) -> str:
    """One coordinate as text. Raises ValueError beyond ``MAX_COORDINATE``."""
    if abs(value) > MAX_COORDINATE:
        raise ValueError(f"coordinate {value:g} is beyond {MAX_COORDINATE:g}")
    digits = 3 if frame is Frame.UNIT else 0
    # Adding zero turns the "-0" of a rounded tiny negative into "0".
    return f"{round(value, digits) + 0.0:.{digits}f}"


def read_box(corners: Sequence[str], frame: Frame) -> Box | str:
    """A box from the texts of its four numbers, or the reason why they are not a box."""
    if len(corners) != 4:
        return f"a box has 4 numbers, not {len(corners)}"
    values = []
    for corner in corners:
        value = _read_number(corner.strip())
        if isinstance(value, str):
            return value
        values.append(value)
    x1, y1, x2, y2 = values
    if x1 > x2 or y1 > y2:
        return "box with swapped corners"
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=frame)


def looks_numeric(word: str) -> bool:
    """Whether the word looks like a number, NaN and infinity included."""
    return bool(_NUMBER.fullmatch(word) or _NON_FINITE.fullmatch(word))


def _read_number(word: str) -> float | str:
    if _NON_FINITE.fullmatch(word):
        return "non-finite number in a box"
    if not _NUMBER.fullmatch(word):
        return "something that is not a number in a box"
    value = float(word)
    if not math.isfinite(value):
        return "non-finite number in a box"
    if abs(value) > MAX_COORDINATE:
        return f"coordinate beyond {MAX_COORDINATE:g} in a box"
    return value
