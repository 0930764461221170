"""One way to write and read the boxes of all families of models, each by its declaration."""

import math
import re
from collections.abc import Sequence
from functools import cached_property
from string import Formatter
from typing import Any, Final

from groundrl.boxes import Box, Frame
from groundrl.grammar.base import FoundBoxes, Span, format_coordinate, read_box
from groundrl.grammar.tagged import TaggedGrammar, check_separable
from groundrl.records import Grounding, Segments

RELATIVE: Final = frozenset({Frame.UNIT, Frame.PERMILLE})
"""Frames that measure shares of the image, as bins do."""

_CORNERS: Final = ("x1", "y1", "x2", "y2")
_WORD: Final = r"[^\s,;<>\[\](){}]*+"
_PIECE: Final = re.compile(r"[^\s\[\](),]+|[\[\](),]")
# A label without tags begins behind one of these.
_BEFORE_LABEL: Final = re.compile(r"(?:[^\w\s'-]|\b(?:a|an|the)\b|\n)\s*", re.IGNORECASE)
_LONGEST_LABEL, _MOST_WORDS = 100, 5
"""Characters and words of a label without tags."""


class NativeForm(TaggedGrammar):
    """``label_tags`` around the label, ``box_tags`` around one or several ``corners``.

    Without label tags a label is the words before its box, from the last article or punctuation
    mark on; what is rendered then reads back with the same words and boxes, while an article
    within a label shortens it.
    """

    def __init__(
        self,
        *,
        name: str,
        corners: str,
        sign: str,
        box_tags: tuple[str, str] = ("", ""),
        label_tags: tuple[str, str] | None = None,
        label_end: str | None = None,
        label_before: bool = True,
        aliases: tuple[tuple[str, str], ...] = (),
        separator: str = ",",
        scale: int | None = None,
        last: int | None = None,
        centred: bool = False,
    ) -> None:
        """``corners``: one box, with {x1}, {y1}, {x2}, {y2} in the order of the form. ``sign``:
        regular expression of what only boxes have. ``label_end``: follows the label where that
        stands behind the box. ``label_before``: whether the words before a box without label tags
        are its label. ``aliases``: (tag, other tag that is read for it). ``separator``: regular
        expression of what stands between boxes that share their tags. ``scale``: bins per width and
        height; None: the numbers are in units of the frame. ``last``: the largest number that can
        be written. ``centred``: a number means the middle of its bin, not its lower edge."""
        # No dataclass: Hydra would turn it into a config where it is passed on.
        self.name = name
        self.corners = corners
        self.sign = sign
        self.box_tags = box_tags
        self.label_tags = label_tags
        self.label_end = label_end
        self.label_before = label_before
        self.aliases = aliases
        self.separator = separator
        self.scale = scale
        self.last = last
        self.centred = centred

    @property
    def frames(self) -> frozenset[Frame]:
        """See ``Grammar.frames``."""
        return frozenset(Frame) if self.scale is None else RELATIVE

    @property
    def syntax(self) -> str:
        """See ``Grammar.syntax``."""
        return self._join("label", "".join(text + name for text, name in self._places))

    def round_box(self, box: Box) -> Box:
        """The box as it reads back: on the bins of the form."""
        numbers = self._numbers(box)
        words = [str(numbers[name]) for _, name in self._places if name]
        found = self.read_corners(words, box.frame)
        assert isinstance(found, Box)
        return found

    def write_segments(self, segments: Segments) -> str:
        """The segments as text."""
        check_separable(segments)
        return "".join(part if isinstance(part, str) else self._write(part) for part in segments)

    def comparable(self, segments: Segments) -> object:
        """Labels without tags may be cut otherwise: words and boxes are compared."""
        if self.label_tags is not None or self.label_end is not None:
            return segments
        words = "".join(p if isinstance(p, str) else f"{p.label}\0" for p in segments)
        return words, [part.box for part in segments if isinstance(part, Grounding)]

    def find_boxes(self, text: str, frame: Frame) -> FoundBoxes:
        """All boxes; a sign of a box outside of them is a failure."""
        spans: list[Span] = []
        failures: list[str] = []
        unreadable = f"a box that is cut off or not written as {self.name}"
        end = 0
        for found in self._pattern.finditer(text):
            if not self._sign.search(found[0]):
                continue
            if self._sign.search(text, end, found.start()):
                failures.append(unreadable)
            start = found.start()
            label = (found["label"] or "").strip()
            if self.label_before and self.label_tags is None and self.label_end is None:
                start, label = _label_before(text, end, start)
            end = found.end()
            boxes = list(self._box.finditer(text, *found.span("boxes")))
            for index, one in enumerate(boxes):
                box = self.read_corners(one.groups(), frame)
                if isinstance(box, str):
                    failures.append(box)
                    continue
                edges = (
                    one.start() if index else start,
                    boxes[index + 1].start() if index + 1 < len(boxes) else end,
                )
                grounding = Grounding(label=label, box=box)
                spans.append(Span(start=edges[0], end=edges[1], grounding=grounding))
        if self._sign.search(text, end):
            failures.append(unreadable)
        return FoundBoxes(spans=tuple(spans), failures=tuple(dict.fromkeys(failures)))

    def read_corners(self, words: Sequence[str], frame: Frame) -> Box | str:
        """See ``TaggedGrammar.read_corners``; ``words`` in the order of the form."""
        given = dict(zip((name for _, name in self._places if name), words, strict=True))
        box = read_box([given[name] for name in _CORNERS], frame)
        if isinstance(box, str) or self.scale is None:
            return box
        middle = 0.5 if self.centred else 0.0
        x1, y1, x2, y2 = ((value + middle) * _extent(frame) / self.scale for value in box.corners)
        return Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=frame)

    def _numbers(self, box: Box) -> dict[str, object]:
        """What is written for each name of ``corners``."""
        if self.scale is None:
            words = [format_coordinate(value, box.frame) for value in box.corners]
            return dict(zip(_CORNERS, words, strict=True))
        to_bin = math.floor if self.centred else round
        bins = [to_bin(value * self.scale / _extent(box.frame)) for value in box.corners]
        values = [max(0, min(value, self.last or self.scale)) for value in bins]
        return dict(zip(_CORNERS, values, strict=True))

    def _write(self, grounding: Grounding) -> str:
        return self._join(grounding.label, self.corners.format(**self._numbers(grounding.box)))

    def _join(self, label: str, corners: str) -> str:
        before, after = self.box_tags
        box = f"{before}{corners}{after}"
        if self.label_end is not None:
            return f"{box} {label}{self.label_end}"
        if not label or self.label_tags is None:
            return label + box
        return label.join(self.label_tags) + box

    @cached_property
    def _places(self) -> tuple[tuple[str, str], ...]:
        """The parts of ``corners``: text, and the name of the number behind it, "" at the end."""
        return tuple((text, name or "") for text, name, _, _ in Formatter().parse(self.corners))

    @cached_property
    def _box(self) -> re.Pattern[str]:
        return re.compile(self._one(f"({_WORD})"))

    def _one(self, word: str) -> str:
        """Regular expression of one box."""
        parts = [
            _literal(text) + (rf"\s*+{word}\s*+" if name else "") for text, name in self._places
        ]
        return "".join(parts)

    @cached_property
    def _sign(self) -> re.Pattern[str]:
        return re.compile(self.sign)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Everything that belongs to one label. Possessive, so that it takes linear time."""
        one = self._one(_WORD)
        before, after = self.box_tags
        before = rf"{self._tag(before)}\s*+" if before else ""
        after = rf"\s*+{self._tag(after)}" if after else ""
        whole = rf"{before}(?P<boxes>{one}(?:\s*+{self.separator}\s*+{one})*+){after}"
        if self.label_end is not None:
            return re.compile(rf"{whole}\s*+(?P<label>[^<;\n]*+)(?:{self.label_end.strip()})?+")
        if self.label_tags is None:
            return re.compile(rf"(?P<label>){whole}")
        opening, closing = (self._tag(tag) for tag in self.label_tags)
        return re.compile(rf"(?:{opening}(?P<label>[^<]*+){closing}\s*+)?+{whole}")

    def _tag(self, tag: str) -> str:
        """Regular expression of a tag, or of what is read for it."""
        ways = [tag, *(other for own, other in self.aliases if own == tag)]
        ways.sort(key=len, reverse=True)  # "[[" before "[", which is a part of it
        return f"(?:{'|'.join(map(_literal, ways))})"


class CellForm(NativeForm):
    """Two numbers: the cells of a ``scale`` x ``scale`` grid, counted row by row, in which the
    upper left and the lower right corner lie.

    A box goes from the middle of the one to the middle of the other; where both lie in one row or
    column, it is made of whole cells (Kosmos-2, arXiv 2306.14824).
    """

    def __init__(self, *, scale: int, **form: Any) -> None:
        """``form``: as of ``NativeForm``."""
        super().__init__(scale=scale, **form)
        self.cells = scale

    def read_corners(self, words: Sequence[str], frame: Frame) -> Box | str:
        """See ``TaggedGrammar.read_corners``."""
        whole = all(word.isascii() and word.isdigit() and len(word) < 10 for word in words)
        if len(words) != 2 or not whole:
            return "something that is not a number in a box"
        upper, lower = (int(word) for word in words)
        if max(upper, lower) >= self.cells**2:
            return f"a cell beyond {self.cells} x {self.cells} in a box"
        (y1, x1), (y2, x2) = divmod(upper, self.cells), divmod(lower, self.cells)
        if x1 > x2 or y1 > y2:
            return "box with swapped corners"
        near, far = (0.0, 1.0) if x1 == x2 or y1 == y2 else (0.5, 0.5)
        left, top, right, bottom = (
            cell * _extent(frame) / self.cells
            for cell in (x1 + near, y1 + near, x2 + far, y2 + far)
        )
        return Box(x1=left, y1=top, x2=right, y2=bottom, frame=frame)

    def _numbers(self, box: Box) -> dict[str, object]:
        places = [value * self.cells / _extent(box.frame) for value in box.corners]
        last = self.cells - 1
        x1, y1 = (max(0, min(math.floor(place), last)) for place in places[:2])
        x2, y2 = (max(0, min(math.ceil(place) - 1, last)) for place in places[2:])
        lower = max(y1, y2) * self.cells + max(x1, x2)
        return {"upper": y1 * self.cells + x1, "lower": lower}


def _extent(frame: Frame) -> float:
    return 1.0 if frame is Frame.UNIT else 1000.0


def _literal(text: str) -> str:
    """Regular expression of the text with any blanks around brackets and commas."""
    return r"\s*+".join(re.escape(piece) for piece in _PIECE.findall(text))


def _label_before(text: str, limit: int, start: int) -> tuple[int, str]:
    """Start and words of the label that ends at ``start``, not before ``limit``."""
    low = max(limit, start - _LONGEST_LABEL)
    cuts = [cut.end() for cut in _BEFORE_LABEL.finditer(text, low, start)]
    place = cuts[-1] if cuts else low
    label = text[place:start]
    place += len(label) - len(label.lstrip())
    label = label.strip()
    cut_off = not cuts and low > limit
    if not label or cut_off or len(label.split()) > _MOST_WORDS:
        return start, ""
    return place, label
