"""Boxes inside text, in the forms that training files write them in.

A form that fixes the meaning of its numbers declares its frame here; bare brackets and JSON do
not, so that the caller has to say it.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from groundrl.boxes import Box, Frame
from groundrl.data.formats.base import UNNAMED, UndeclaredFrameError
from groundrl.questions.sentences import weave
from groundrl.records import Grounding, Segments

_NUMBER: Final = r"\s*+-?[0-9]++(?:\.[0-9]*+)?+\s*+"
_FOUR: Final = rf"{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}"
_VALUE: Final = re.compile(r"-?[0-9]+(?:\.[0-9]*)?")
_QUADRUPLE: Final = re.compile(rf"\[({_FOUR})\]")
_PAIRS: Final = re.compile(rf"\(({_NUMBER},{_NUMBER})\),\(({_NUMBER},{_NUMBER})\)")
_PATCHES: Final = re.compile(r"<patch_index_([0-9]{4})><patch_index_([0-9]{4})>")
GRID: Final = 32
"""Kosmos-2 numbers the cells of a grid of 32 x 32."""
_LABEL: Final = r"[^<>\n]*+"
_WORD: Final = re.compile(r"\w")


def make_box(values: Sequence[int | float], frame: Frame | None) -> Box:
    """The box of four numbers. Raises ValueError, UndeclaredFrameError without a frame."""
    if frame is None:
        raise UndeclaredFrameError(f"box [{', '.join(f'{v:g}' for v in values)}] has no frame")
    x1, y1, x2, y2 = map(float, values)
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=frame)


def read_segments(text: str, frame: Frame | None) -> Segments:
    """The text with its boxes as groundings; ``frame`` is that of forms that declare none.

    Linear time. Raises ValueError for a box that starts but cannot be read.
    """
    found = sorted(_find(text, frame), key=lambda span: span.start)
    parts: list[str | Grounding] = []
    end = 0
    for index, span in enumerate(found):
        if span.start < end:
            continue  # inside one that was read: brackets of a longer form
        before = text[end : span.start]
        glued = index > 0 and not before.strip(" \n,;")
        parts += ["" if glued else before, *span.groundings]
        end = span.end
    return weave(*parts, text[end:])


def groundings_in(segments: Segments) -> tuple[Grounding, ...]:
    """The distinct groundings, in the order of the text."""
    return tuple(dict.fromkeys(part for part in segments if isinstance(part, Grounding)))


def words_in(segments: Segments) -> str:
    """The text with labels in the place of boxes, on one line; nothing where it holds boxes only.

    Boxes without a label of their own leave no words.
    """
    if not any(isinstance(part, str) and _WORD.search(part) for part in segments):
        return ""
    words = (_label(part) if isinstance(part, Grounding) else part for part in segments)
    return " ".join("".join(words).split())


def _label(part: Grounding) -> str:
    return " " if part.label == UNNAMED else part.label


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    groundings: tuple[Grounding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A pattern with the groups ``label`` (may be missing) and ``boxes``."""

    pattern: re.Pattern[str]
    frame: Frame | None
    read: Callable[[str], list[list[float]]]
    """Numbers of each box in the text of ``boxes``; none for one that cannot be read."""
    marker: str
    """Every box of this form holds it."""

    def find(self, text: str, frame: Frame | None) -> Iterator[_Span]:
        """Raises ValueError where a marker belongs to no box."""
        read = 0
        for match in self.pattern.finditer(text):
            boxes = self.read(match["boxes"])
            if not boxes:
                raise ValueError(f"cannot read the box {match[0]!r:.80}")
            label = (match.groupdict().get("label") or "").strip() or UNNAMED
            read += match[0].count(self.marker)
            made = tuple(
                Grounding(label=label, box=make_box(values, self.frame or frame))
                for values in boxes
            )
            yield _Span(match.start(), match.end(), made)
        if read < text.count(self.marker):
            raise ValueError(f"a box starts with {self.marker} and cannot be read: {text!r:.80}")


def _numbers(text: str) -> list[float]:
    return [float(value) for value in _VALUE.findall(text)]


def _quadruples(text: str) -> list[list[float]]:
    return [_numbers(values) for values in _QUADRUPLE.findall(text)]


def _pairs(text: str) -> list[list[float]]:
    return [_numbers(f"{first},{second}") for first, second in _PAIRS.findall(text)]


def _corners_or_lists(text: str) -> list[list[float]]:
    return _pairs(text) or _quadruples(text)


def _cells(text: str) -> list[list[float]]:
    """Shares of the image from the cells of the two corners: their centres, or the cells' outer
    edges where both lie in one row or column (Kosmos-2, arXiv 2306.14824)."""
    boxes = []
    for first, last in _PATCHES.findall(text):
        (y1, x1), (y2, x2) = divmod(int(first), GRID), divmod(int(last), GRID)
        near, far = (0.0, 1.0) if x1 == x2 or y1 == y2 else (0.5, 0.5)
        shifted = (x1 + near, y1 + near, x2 + far, y2 + far)
        boxes.append([value / GRID for value in shifted])
    return boxes


def _bins(text: str) -> list[list[float]]:
    """Thousandths: the centre of each of the 1000 bins (Florence-2)."""
    values = [value + 0.5 for value in _numbers(text)]
    return [values[start : start + 4] for start in range(0, len(values), 4)]


_FORMS: Final = (
    _Form(  # Qwen2-VL
        pattern=re.compile(
            rf"(?:<\|object_ref_start\|>(?P<label>{_LABEL})<\|object_ref_end\|>)?"
            r"(?P<boxes>(?:<\|box_start\|>[^<>]*+<\|box_end\|>)++)"
        ),
        frame=Frame.PERMILLE,
        read=_corners_or_lists,
        marker="<|box_start|>",
    ),
    _Form(  # Qwen-VL and InternVL
        pattern=re.compile(
            rf"(?:<ref>(?P<label>{_LABEL})</ref>)?(?P<boxes>(?:<box>[^<>]*+</box>)++)"
        ),
        frame=Frame.PERMILLE,
        read=_corners_or_lists,
        marker="<box>",
    ),
    _Form(  # Kosmos-2
        pattern=re.compile(
            rf"(?:<phrase>(?P<label>{_LABEL})</phrase>)?<object>"
            r"(?P<boxes>(?:<patch_index_[0-9]{4}>|</delimiter_of_multi_objects/>)++)</object>"
        ),
        frame=Frame.UNIT,
        read=_cells,
        marker="<object>",
    ),
    _Form(  # Florence-2
        pattern=re.compile(
            # Starts where a label can: else each letter of a long text would be a start.
            rf"(?<![^<>\n])(?P<label>{_LABEL})(?P<boxes>(?:(?:<loc_[0-9]{{1,3}}>){{4}})++)"
        ),
        frame=Frame.PERMILLE,
        read=_bins,
        marker="<loc_",
    ),
)
_OBJECT: Final = re.compile(r"\{[^{}]*+\}")
_KEY: Final = '"bbox_2d"'
_LIST: Final = re.compile(
    r"(?:```(?:json)?\s*+)?\[\s*+\{[^{}\[\]]*+\[[^{}\[\]]*+\][^{}\[\]]*+\}"
    r"(?:\s*+,\s*+\{[^{}\[\]]*+\[[^{}\[\]]*+\][^{}\[\]]*+\})*+\s*+\](?:\s*+```)?"
)


def _find(text: str, frame: Frame | None) -> Iterator[_Span]:
    for form in _FORMS:
        if form.marker in text:
            yield from form.find(text, frame)
    if _KEY in text:
        yield from _find_json(text, frame)
    special = any(form.marker in text for form in _FORMS) or _KEY in text
    if "[" in text and not special:
        yield from _find_brackets(text, frame)


def _find_json(text: str, frame: Frame | None) -> Iterator[_Span]:
    """Lists of objects with ``bbox_2d``, with their code fence, and lone objects."""
    lists = [match for match in _LIST.finditer(text) if _KEY in match[0]]
    edges = [0, *(edge for match in lists for edge in match.span()), len(text)]
    read = 0
    for match in lists:
        objects = _OBJECT.findall(match[0])
        read += match[0].count(_KEY)
        yield _Span(match.start(), match.end(), tuple(_json_box(o, frame) for o in objects))
    for start, end in list(pairwise(edges))[::2]:
        for match in _OBJECT.finditer(text, start, end):
            if _KEY in match[0]:
                read += match[0].count(_KEY)
                yield _Span(match.start(), match.end(), (_json_box(match[0], frame),))
    if read < text.count(_KEY):
        raise ValueError(f"a bbox_2d that is in no complete JSON object: {text!r:.80}")


def _json_box(text: str, frame: Frame | None) -> Grounding:
    try:
        value: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{text!r:.80} is not valid JSON: {error}") from None
    corners, label = value.get("bbox_2d"), value.get("label") or UNNAMED
    if not (isinstance(corners, list) and len(corners) == 4) or not all(
        isinstance(corner, int | float) and not isinstance(corner, bool) for corner in corners
    ):
        raise ValueError(f"bbox_2d must be four numbers, got {corners!r:.80}")
    return Grounding(label=str(label).strip() or UNNAMED, box=make_box(corners, frame))


_BRACKETS: Final = re.compile(
    rf"\[\s*+\[{_FOUR}\](?:\s*+,\s*+\[{_FOUR}\])*+\s*+\]|\[{_FOUR}(?:;{_FOUR})*+\]"
)


def _find_brackets(text: str, frame: Frame | None) -> Iterator[_Span]:
    """``[x1, y1, x2, y2]``, lists of these, and Shikra's ``[x1,y1,x2,y2;...]``."""
    for match in _BRACKETS.finditer(text):
        values = _numbers(match[0])
        boxes = [values[start : start + 4] for start in range(0, len(values), 4)]
        made = tuple(Grounding(label=UNNAMED, box=make_box(box, frame)) for box in boxes)
        yield _Span(match.start(), match.end(), made)
