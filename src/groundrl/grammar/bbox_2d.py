"""``[{"bbox_2d": [12, 40, 80, 131], "label": "white vase"}]``: boxes as JSON lists."""

import json
import re
from itertools import groupby

from groundrl.boxes import Frame
from groundrl.grammar.base import format_coordinate, read_box
from groundrl.grammar.tagged import FoundBoxes, Span, TaggedGrammar, check_separable
from groundrl.records import Grounding, Segments

# Possessive quantifiers do not backtrack, and the quote before either key ends any string in front
# of it: so the search takes linear time.
_BOX = r'"bbox_2d"\s*+:\s*+\[(?P<{}>[^\[\]{{}}"]*+)\]'
_LABEL = r'"label"\s*+:\s*+(?P<{}>"(?:[^"\\\n]|\\.)*+")'
_ITEM = re.compile(
    rf"\{{\s*+(?:{_BOX.format('box')}\s*+,\s*+{_LABEL.format('label')}"
    rf"|{_LABEL.format('label_first')}\s*+,\s*+{_BOX.format('box_last')})\s*+\}}"
)
_KEY = '"bbox_2d"'
_SURROGATE = re.compile("[\ud800-\udfff]")


class Bbox2d(TaggedGrammar):
    """Neighbouring boxes share one JSON list; a lone object without a list is read as well.

    A label is non-empty, without blanks at its ends and without lone surrogates; text next to a
    list must not look like a part of it.
    """

    name = "bbox_2d"
    syntax = '[{"bbox_2d": [x1, y1, x2, y2], "label": "label"}]'

    def write_segments(self, segments: Segments) -> str:
        """The segments as text, with neighbouring boxes in one list."""
        check_separable(segments)
        parts: list[str] = []
        for is_text, run in groupby(segments, key=lambda part: isinstance(part, str)):
            if is_text:
                parts += [part for part in run if isinstance(part, str)]
            else:
                items = [_write(part) for part in run if isinstance(part, Grounding)]
                parts.append(f"[{', '.join(items)}]")
        return "".join(parts)

    def find_boxes(self, text: str, frame: Frame) -> FoundBoxes:
        """All JSON objects of a box and a label; list brackets and commas belong to the boxes."""
        items = list(_ITEM.finditer(text))
        failures: list[str] = []
        if text.count(_KEY) > sum(item[0].count(_KEY) for item in items):
            failures.append('a "bbox_2d" that is not in an object of box and label')
        spans: list[Span] = []
        for item in items:
            grounding = _read(item, frame)
            if isinstance(grounding, str):
                failures.append(grounding)
            else:
                spans.append(Span(start=item.start(), end=item.end(), grounding=grounding))
        return FoundBoxes(spans=_with_lists(text, spans), failures=tuple(dict.fromkeys(failures)))


def _write(grounding: Grounding) -> str:
    corners = ", ".join(
        format_coordinate(value, grounding.box.frame) for value in grounding.box.corners
    )
    return f'{{{_KEY}: [{corners}], "label": {json.dumps(grounding.label, ensure_ascii=False)}}}'


def _read(item: re.Match[str], frame: Frame) -> Grounding | str:
    box = read_box((item["box"] or item["box_last"] or "").split(","), frame)
    if isinstance(box, str):
        return box
    try:
        label = json.loads(item["label"] or item["label_first"]).strip()
    except json.JSONDecodeError:
        return "label with a bad escape"
    if _SURROGATE.search(label):
        return "label with a lone surrogate"
    return Grounding(label=label, box=box) if label else "empty label"


def _with_lists(text: str, spans: list[Span]) -> tuple[Span, ...]:
    """Extend the first and last span of every complete list to its brackets, and the others up to
    the next span."""
    widened: list[Span] = []
    run: list[Span] = []
    for index, span in enumerate(spans):
        following = spans[index + 1] if index + 1 < len(spans) else None
        run.append(span)
        if following is not None and text[span.end : following.start].strip() == ",":
            continue
        before = _open_bracket(text, run[0].start, widened[-1].end if widened else 0)
        after = _close_bracket(text, span.end, following.start if following else len(text))
        edges = [part.start for part in run] + [span.end]
        if before is not None and after is not None:
            edges[0], edges[-1] = before, after
        widened += [
            Span(start=edges[i], end=edges[i + 1], grounding=part.grounding)
            for i, part in enumerate(run)
        ]
        run = []
    return tuple(widened)


def _open_bracket(text: str, start: int, limit: int) -> int | None:
    """Index of the "[" before ``start``, with blanks only in between and not before ``limit``."""
    gap = text[limit:start].rstrip()
    return limit + len(gap) - 1 if gap.endswith("[") else None


def _close_bracket(text: str, end: int, limit: int) -> int | None:
    """Index after the "]" that follows ``end``, with blanks only in between, before ``limit``."""
    gap = text[end:limit]
    blanks = len(gap) - len(gap.lstrip())
    return end + blanks + 1 if gap[blanks : blanks + 1] == "]" else None
