"""Boxes inside the text of rows: the grammar that wrote them, and what their numbers measure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from groundrl.boxes import Frame
from groundrl.data.formats.base import UNNAMED, UndeclaredFrameError
from groundrl.grammar import Grammar, Span, get_grammar
from groundrl.grammar.native import NativeForm
from groundrl.questions.sentences import weave
from groundrl.records import Grounding, Segments


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenForm:
    """How the rows of a family of models write boxes."""

    mark: re.Pattern[str]
    """Found in every text with such boxes, and in few others."""
    grammar: Grammar
    frame: Frame | None = None
    """Of its numbers; None where the option frame= has to state it."""


def _form(mark: str, grammar: str, frame: Frame | None = None) -> WrittenForm:
    return WrittenForm(mark=re.compile(mark), grammar=get_grammar(grammar), frame=frame)


FORMS: Final = (
    _form(r"<\|box_start\|>|<box>", "qwen_vl", Frame.PERMILLE),
    _form(r"<box>", "internvl", Frame.PERMILLE),
    _form(r"<\|det\|>", "deepseek_vl2", Frame.PERMILLE),
    _form(r"<\|begin_of_box\|>\s*\[", "glm", Frame.PERMILLE),
    _form(r"<loc\d", "paligemma", Frame.PERMILLE),
    _form(r"<loc_", "florence", Frame.PERMILLE),
    _form(r"<patch_index_", "kosmos", Frame.UNIT),
    _form(r"\{\s*<\d", "minigpt", Frame.PERMILLE),
    _form(r'"box_2d"', "box_2d", Frame.PERMILLE),
    _form(r'"bbox_2d"', "bbox_2d"),
    _form(r"<bbox>", "obj_bbox"),
)
"""A text is read by the first of those whose mark it has that finds no fault with it."""
_NUMBER: Final = r"\s*+-?(?:\d++(?:\.\d*+)?+|\.\d++)\s*+"
BARE: Final = NativeForm(
    name="brackets",
    box_tags=("[", "]"),
    corners="{x1}, {y1}, {x2}, {y2}",
    separator=r"(?:;|\]\s*+,\s*+\[)",
    aliases=(("[", "[["), ("]", "]]")),
    # Other numbers between brackets are text; and so are the words before: "yes [1, 2, 3, 4]".
    sign=rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}[;\]]",
    label_before=False,
)
"""``[x1, y1, x2, y2]``, lists of these, and Shikra's ``[x1,y1,x2,y2;...]``, without a mark."""
_WORD: Final = re.compile(r"\w")


def holds_mark(text: str) -> bool:
    """Whether the text has a mark of ``FORMS``."""
    return any(form.mark.search(text) for form in FORMS)


def read_segments(text: str, frame: Frame | None) -> Segments:
    """The text with its boxes as groundings; ``frame`` is that of forms that declare none.

    Linear time. Raises ValueError for a box that starts but cannot be read, UndeclaredFrameError
    for boxes without a frame.
    """
    forms = [form for form in FORMS if form.mark.search(text)]
    fault = None
    for form in forms or [WrittenForm(mark=re.compile(r"\["), grammar=BARE)]:
        measured = form.frame or frame
        # Where no frame is stated, any will do to see whether there are boxes.
        found = form.grammar.find_boxes(text, measured or Frame.UNIT)
        if found.failures:
            fault = fault or f"{found.failures[0]}: {text!r:.80}"
            continue
        if found.spans and measured is None:
            corners = found.spans[0].grounding.box.corners
            raise UndeclaredFrameError(f"box [{', '.join(f'{v:g}' for v in corners)}] has no frame")
        return _woven(text, found.spans)
    raise ValueError(fault)


def _woven(text: str, spans: Iterable[Span]) -> Segments:
    """Text and boxes, without what only separates boxes of a list."""
    parts: list[str | Grounding] = []
    end = 0
    for index, span in enumerate(spans):
        between = text[end : span.start]
        parts.append("" if index and not between.strip(" \n,;") else between)
        parts.append(replace(span.grounding, label=span.grounding.label or UNNAMED))
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
