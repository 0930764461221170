"""``[{"bbox_2d": [12, 40, 80, 131], "label": "white vase"}]``: boxes as JSON lists."""

import json
import re
from collections.abc import Sequence
from functools import cached_property
from itertools import groupby
from typing import Final, TypeVar

from groundrl.boxes import Box, Frame
from groundrl.grammar.base import FoundBoxes, Span, format_coordinate, read_box
from groundrl.grammar.tagged import TaggedGrammar, check_separable
from groundrl.records import Grounding, Segments

T = TypeVar("T")

# Possessive quantifiers do not backtrack, and the quote before either key ends any string in front
# of it: so the search takes linear time.
_LABEL: Final = r'"label"\s*+:\s*+(?P<{}>"(?:[^"\\\n]|\\.)*+")'
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Strings are limited, since one that is not closed is looked through again from each quote in it.
_STRING: Final = r'"(?:[^"\\\n]|\\.){0,200}+"|' + r"'(?:[^'\\\n]|\\.){0,200}+'"
_OBJECT: Final = re.compile(rf"\{{((?:{_STRING}|[^{{}}])*+)(\}}?)")
_LOOSE_LABEL: Final = re.compile(rf"""["']?\blabel["']?\s*+:\s*+({_STRING})""")
_FENCE: Final = re.compile(r"```(?:json)?\Z")
_LONGEST_FENCE: Final = len("```json")
_COMMENT: Final = re.compile(r"//[^\n]*+|/\*[^*]*+\*/|#[^\n]*+")


class Bbox2d(TaggedGrammar):
    """Neighbouring boxes share one JSON list; a lone object without a list is read as well.

    A label is non-empty, without blanks at its ends and without lone surrogates; text next to a
    list must not look like a part of it. Objects that are no valid JSON are read where the box is
    whole: with other quotes, commas or comments, without a label, with more fields, or cut off
    behind the box.
    """

    def __init__(self, name: str = "bbox_2d", y_first: bool = False) -> None:
        """``name``: also the key of the box. ``y_first``: the numbers are y1, x1, y2, x2 (Gemini,
        Gemma 3)."""
        self.name = name
        self.y_first = y_first

    @property
    def syntax(self) -> str:
        """See ``Grammar.syntax``."""
        corners = ", ".join(self._order(("x1", "y1", "x2", "y2")))
        return f'[{{"{self.name}": [{corners}], "label": "label"}}]'

    def write_segments(self, segments: Segments) -> str:
        """The segments as text, with neighbouring boxes in one list."""
        check_separable(segments)
        parts: list[str] = []
        for is_text, run in groupby(segments, key=lambda part: isinstance(part, str)):
            if is_text:
                parts += [part for part in run if isinstance(part, str)]
            else:
                items = [self._write(part) for part in run if isinstance(part, Grounding)]
                parts.append(f"[{', '.join(items)}]")
        return "".join(parts)

    def find_boxes(self, text: str, frame: Frame) -> FoundBoxes:
        """All JSON objects of a box and a label; list brackets and commas belong to the boxes."""
        failures: list[str] = []
        slips: list[str] = []
        spans: list[Span] = []
        end = 0
        for item in self._item.finditer(text):
            spans += self._find_loose(text, (end, item.start()), frame, failures, slips)
            end = item.end()
            grounding = self._read(item, frame)
            if isinstance(grounding, str):
                failures.append(grounding)
            else:
                spans.append(Span(start=item.start(), end=end, grounding=grounding))
        spans += self._find_loose(text, (end, len(text)), frame, failures, slips)
        return FoundBoxes(
            spans=_with_lists(text, spans),
            failures=tuple(dict.fromkeys(failures)),
            slips=tuple(dict.fromkeys(slips)),
        )

    def read_corners(self, words: Sequence[str], frame: Frame) -> Box | str:
        """See ``TaggedGrammar.read_corners``."""
        return read_box(self._order(words) if len(words) == 4 else words, frame)

    def _find_loose(
        self,
        text: str,
        place: tuple[int, int],
        frame: Frame,
        failures: list[str],
        slips: list[str],
    ) -> list[Span]:
        """Boxes of objects that are not as this grammar writes them."""
        meant = len(self._sign.findall(text, *place))
        if not meant:
            return []
        spans: list[Span] = []
        for item in _OBJECT.finditer(text, *place):
            boxes = self._loose_box.findall(item[1])
            if len(boxes) != 1:
                continue
            meant -= 1
            words = _COMMENT.sub("", boxes[0]).strip().removesuffix(",").split(",")
            box = self.read_corners([word.strip() for word in words], frame)
            if isinstance(box, str):
                failures.append(box)
                continue
            label = _LOOSE_LABEL.search(item[1])
            slips.append(f"a box that is not quite written as {self.name}")
            grounding = Grounding(label=_unquote(label[1]) if label else "", box=box)
            spans.append(Span(start=item.start(), end=item.end(), grounding=grounding))
        if meant > 0:
            failures.append(f'a "{self.name}" that is not in an object of box and label')
        return spans

    def _read(self, item: re.Match[str], frame: Frame) -> Grounding | str:
        words = (item["box"] or item["box_last"] or "").split(",")
        box = self.read_corners([word.strip() for word in words], frame)
        if isinstance(box, str):
            return box
        try:
            label = json.loads(item["label"] or item["label_first"]).strip()
        except json.JSONDecodeError:
            return "label with a bad escape"
        if _SURROGATE.search(label):
            return "label with a lone surrogate"
        return Grounding(label=label, box=box) if label else "empty label"

    def _write(self, grounding: Grounding) -> str:
        values = self._order(grounding.box.corners)
        corners = ", ".join(format_coordinate(value, grounding.box.frame) for value in values)
        label = json.dumps(grounding.label, ensure_ascii=False)
        return f'{{"{self.name}": [{corners}], "label": {label}}}'

    def _order(self, corners: Sequence[T]) -> Sequence[T]:
        """From x first to the order of this grammar, and back."""
        first, second, third, fourth = corners
        return (second, first, fourth, third) if self.y_first else corners

    @cached_property
    def _item(self) -> re.Pattern[str]:
        box = rf'"{self.name}"\s*+:\s*+\[(?P<{{}}>[^\[\]{{{{}}}}"]*+)\]'
        return re.compile(
            rf"\{{\s*+(?:{box.format('box')}\s*+,\s*+{_LABEL.format('label')}"
            rf"|{_LABEL.format('label_first')}\s*+,\s*+{box.format('box_last')})\s*+\}}"
        )

    @cached_property
    def _loose_box(self) -> re.Pattern[str]:
        return re.compile(rf"{self._sign.pattern}\s*+:?\s*+[\[(]([^\[\](){{}}\"']*+)[\])]")

    @cached_property
    def _sign(self) -> re.Pattern[str]:
        """What stands before a box."""
        return re.compile(rf"""(?:["']{self.name}["']|\b{self.name}(?=\s*+:))""")


def _unquote(quoted: str) -> str:
    """The text of a quoted label; "" for one that cannot stand in a file."""
    try:
        label = json.loads(quoted).strip()
    except json.JSONDecodeError:  # single quotes, or escapes that JSON does not know
        label = re.sub(r"\\(.)", r"\1", quoted[1:-1]).strip()
    return "" if _SURROGATE.search(label) else label


def _with_lists(text: str, spans: list[Span]) -> tuple[Span, ...]:
    """Extend the first and last span of every complete list to its brackets and its code fence, and
    the others up to the next span."""
    widened: list[Span] = []
    run: list[Span] = []
    for index, span in enumerate(spans):
        following = spans[index + 1] if index + 1 < len(spans) else None
        run.append(span)
        if following is not None and text[span.end : following.start].strip() == ",":
            continue
        low = widened[-1].end if widened else 0
        high = following.start if following else len(text)
        before, after = _open_bracket(text, run[0].start, low), _close_bracket(text, span.end, high)
        edges = [part.start for part in run] + [span.end]
        if before is not None and after is not None:
            edges[0], edges[-1] = before, after
        edges[0], edges[-1] = _with_fence(text, edges[0], edges[-1], low, high)
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


def _with_fence(text: str, start: int, end: int, low: int, high: int) -> tuple[int, int]:
    """The place with the code fence around it, if it lies between ``low`` and ``high``."""
    opened = _FENCE.search(text[low:start].rstrip()[-_LONGEST_FENCE:])
    gap = text[end:high]
    closed = gap.lstrip()
    if opened is None or not closed.startswith("```"):
        return start, end
    blanks = len(gap) - len(closed)
    return low + len(text[low:start].rstrip()) - len(opened[0]), end + blanks + 3
