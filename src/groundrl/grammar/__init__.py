"""Grammars: notations of grounded answers, by the name of their option."""

from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.grammar.base import FoundBoxes, Grammar, Parsed, Span, round_box, round_segments
from groundrl.grammar.bbox_2d import Bbox2d
from groundrl.grammar.families import NATIVE_FORMS
from groundrl.grammar.inline_box import InlineBox
from groundrl.grammar.obj_bbox import ObjBbox

GRAMMARS: dict[str, Grammar] = {
    grammar.name: grammar
    for grammar in (
        ObjBbox(),
        InlineBox(),
        Bbox2d(),
        Bbox2d(name="box_2d", y_first=True),
        *NATIVE_FORMS,
    )
}
"""Every grammar by the name of its option."""


def get_grammar(name: str) -> Grammar:
    """The grammar called ``name``. Raises UserError with the choices."""
    if name not in GRAMMARS:
        raise UserError(
            f"unknown grammar {name!r}; expected one of {', '.join(GRAMMARS)}. "
            f"Type for example grammar={next(iter(GRAMMARS))}"
        )
    return GRAMMARS[name]


def check_frame(grammar: Grammar, frame: Frame) -> None:
    """Raises UserError where the grammar cannot write boxes in this frame."""
    if frame not in grammar.frames:
        raise UserError(
            f"grammar={grammar.name} counts bins of the image, and boxes in the frame {frame} are "
            f"none: type the frame {' or '.join(sorted(grammar.frames))}, or another grammar"
        )


__all__ = [
    "GRAMMARS",
    "Bbox2d",
    "FoundBoxes",
    "Grammar",
    "InlineBox",
    "ObjBbox",
    "Parsed",
    "Span",
    "check_frame",
    "get_grammar",
    "round_box",
    "round_segments",
]
