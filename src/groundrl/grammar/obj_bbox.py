"""``<obj>white vase</obj><bbox>[12, 40, 80, 131]</bbox>``, the default grammar."""

import re

from groundrl.boxes import Frame
from groundrl.grammar.base import FoundBoxes, Span, format_coordinate, read_box
from groundrl.grammar.tagged import TaggedGrammar, check_separable
from groundrl.records import Grounding, Segments

_TAG = re.compile(r"</?(?:obj|bbox)>")
_PAIR = ("<obj>", "</obj>", "<bbox>", "</bbox>")
_BROKEN_AFTER = ("", "unclosed <obj>", "<obj> without <bbox>", "unclosed <bbox>")


class ObjBbox(TaggedGrammar):
    """Label and box in tags of their own; blanks between the two and inside them are accepted.

    A label is non-empty, without blanks at its ends and without the tags of this grammar.
    """

    name = "obj_bbox"
    syntax = "<obj>label</obj><bbox>[x1, y1, x2, y2]</bbox>"

    def write_segments(self, segments: Segments) -> str:
        """The segments as text."""
        check_separable(segments)
        return "".join(part if isinstance(part, str) else _write(part) for part in segments)

    def find_boxes(self, text: str, frame: Frame) -> FoundBoxes:
        """All pairs of an ``<obj>`` and the ``<bbox>`` right after it."""
        tags = list(_TAG.finditer(text))
        spans: list[Span] = []
        failures: list[str] = []
        index = 0
        while index < len(tags):
            length = _pair_length(text, tags[index : index + 4])
            if length == 4:
                found = _read_pair(text, tags[index : index + 4], frame)
                if isinstance(found, Span):
                    spans.append(found)
                else:
                    failures.append(found)
            elif length == 0:
                failures.append(f"{tags[index][0]} without <obj>")
            else:
                failures.append(_BROKEN_AFTER[length])
            index += max(1, length)
        return FoundBoxes(spans=tuple(spans), failures=tuple(dict.fromkeys(failures)))


def _write(grounding: Grounding) -> str:
    corners = ", ".join(
        format_coordinate(value, grounding.box.frame) for value in grounding.box.corners
    )
    return f"<obj>{grounding.label}</obj><bbox>[{corners}]</bbox>"


def _pair_length(text: str, tags: list[re.Match[str]]) -> int:
    """How many of these tags continue a pair that starts with the first one, 0 to 4."""
    length = 0
    for tag, expected in zip(tags, _PAIR, strict=False):
        if tag[0] != expected:
            break
        if expected == "<bbox>" and text[tags[1].end() : tag.start()].strip():
            break
        length += 1
    return length


def _read_pair(text: str, tags: list[re.Match[str]], frame: Frame) -> Span | str:
    label = text[tags[0].end() : tags[1].start()].strip()
    body = text[tags[2].end() : tags[3].start()].strip()
    if not label:
        return "empty label"
    if not (body.startswith("[") and body.endswith("]")):
        return "<bbox> without square brackets"
    box = read_box(body[1:-1].split(","), frame)
    if isinstance(box, str):
        return box
    return Span(start=tags[0].start(), end=tags[3].end(), grounding=Grounding(label=label, box=box))
