"""``[12,40,80,131 white vase]``: box and label in one pair of square brackets."""

import re

from groundrl.boxes import Frame
from groundrl.grammar.base import FoundBoxes, Span, format_coordinate, looks_numeric, read_box
from groundrl.grammar.tagged import TaggedGrammar, check_separable
from groundrl.records import Grounding, Segments

# The body ends at any bracket, so that each "[" of a run costs one step. The closing bracket is
# optional, to find boxes that are not closed.
_BRACKETS = re.compile(r"\[([^\[\]]*+)(\]?)")


class InlineBox(TaggedGrammar):
    """Four numbers and a label between brackets; brackets around anything else are plain text.

    A label is non-empty, without blanks at its ends and without square brackets.
    """

    name = "inline_box"
    syntax = "[x1,y1,x2,y2 label]"

    def write_segments(self, segments: Segments) -> str:
        """The segments as text."""
        check_separable(segments)
        return "".join(part if isinstance(part, str) else _write(part) for part in segments)

    def find_boxes(self, text: str, frame: Frame) -> FoundBoxes:
        """All brackets that start with a number and a comma."""
        spans: list[Span] = []
        failures: list[str] = []
        for brackets in _BRACKETS.finditer(text):
            first, comma, _ = brackets[1].partition(",")
            if not comma or not looks_numeric(first.strip()):
                continue
            grounding = _read(brackets[1], frame) if brackets[2] else "unclosed box"
            if isinstance(grounding, str):
                failures.append(grounding)
            else:
                spans.append(Span(start=brackets.start(), end=brackets.end(), grounding=grounding))
        return FoundBoxes(spans=tuple(spans), failures=tuple(dict.fromkeys(failures)))


def _write(grounding: Grounding) -> str:
    corners = ",".join(
        format_coordinate(value, grounding.box.frame) for value in grounding.box.corners
    )
    return f"[{corners} {grounding.label}]"


def _read(body: str, frame: Frame) -> Grounding | str:
    *first_three, rest = body.split(",", maxsplit=3)
    last, *label = rest.split(maxsplit=1)[:2] or [""]
    box = read_box([*first_three, last], frame)
    if isinstance(box, str):
        return box
    if not label:
        return "empty label"
    return Grounding(label=label[0].strip(), box=box)
