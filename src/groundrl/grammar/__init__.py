"""Grammars: notations of grounded answers, by the name of their option."""

from groundrl.errors import UserError
from groundrl.grammar.base import Grammar, Parsed, round_box, round_segments
from groundrl.grammar.bbox_2d import Bbox2d
from groundrl.grammar.inline_box import InlineBox
from groundrl.grammar.obj_bbox import ObjBbox

GRAMMARS: dict[str, Grammar] = {
    grammar.name: grammar for grammar in (ObjBbox(), InlineBox(), Bbox2d())
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


__all__ = [
    "GRAMMARS",
    "Bbox2d",
    "Grammar",
    "InlineBox",
    "ObjBbox",
    "Parsed",
    "get_grammar",
    "round_box",
    "round_segments",
]
