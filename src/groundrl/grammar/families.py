"""Boxes as families of models write them.

Sources: the papers and model cards of the families. A form holds signs and their order; what the
numbers measure is a fact of the form too where they count bins of the image (``scale``), else it
is the frame that the model's option declares. Points (Molmo) are no boxes and not among them.
"""

import re
from typing import Final

from groundrl.grammar.base import NUMBER_START
from groundrl.grammar.native import CellForm, NativeForm

_BRACKETS: Final = "[{x1}, {y1}, {x2}, {y2}]"

NATIVE_FORMS: Final = (
    NativeForm(
        name="qwen_vl",
        label_tags=("<|object_ref_start|>", "<|object_ref_end|>"),
        box_tags=("<|box_start|>", "<|box_end|>"),
        corners="({x1},{y1}),({x2},{y2})",
        aliases=(
            ("<|object_ref_start|>", "<ref>"),
            ("<|object_ref_end|>", "</ref>"),
            ("<|box_start|>", "<box>"),
            ("<|box_end|>", "</box>"),
        ),
        # Several boxes of one label stand in one pair of tags, or each in its own.
        separator=r"(?:,|(?:<\|box_end\|>|</box>)\s*+(?:<\|box_start\|>|<box>))",
        sign=r"<\|(?:object_ref|box)_(?:start|end)\|>|</?(?:ref|box)>",
    ),
    NativeForm(
        name="internvl",
        label_tags=("<ref>", "</ref>"),
        box_tags=("<box>[", "]</box>"),
        corners=_BRACKETS,
        aliases=(("<box>[", "<box>"), ("]</box>", "</box>")),
        sign=r"</?(?:ref|box)>",
    ),
    NativeForm(
        name="deepseek_vl2",
        label_tags=("<|ref|>", "<|/ref|>"),
        box_tags=("<|det|>[", "]<|/det|>"),
        corners=_BRACKETS,
        sign=r"<\|/?(?:ref|det)\|>",
        scale=999,
    ),
    NativeForm(
        name="glm",
        box_tags=("<|begin_of_box|>[", "]<|end_of_box|>"),
        corners="[{x1},{y1},{x2},{y2}]",
        aliases=(("<|begin_of_box|>[", "<|begin_of_box|>"), ("]<|end_of_box|>", "<|end_of_box|>")),
        # The same tags stand around answers that are no boxes.
        sign=r"<\|begin_of_box\|>\s*\[",
    ),
    NativeForm(
        name="paligemma",
        corners="<loc{y1:04d}><loc{x1:04d}><loc{y2:04d}><loc{x2:04d}>",
        label_end=" ;",
        sign=r"<loc\d",
        scale=1024,
        last=1023,
    ),
    NativeForm(
        name="florence",
        corners="<loc_{x1}><loc_{y1}><loc_{x2}><loc_{y2}>",
        sign="<loc_",
        separator="",
        scale=1000,
        last=999,
        centred=True,
    ),
    CellForm(
        name="kosmos",
        label_tags=("<phrase>", "</phrase>"),
        box_tags=("<object>", "</object>"),
        corners="<patch_index_{upper:04d}><patch_index_{lower:04d}>",
        separator="</delimiter_of_multi_objects/>",
        sign=r"</?(?:phrase|object)>|<patch_index_",
        scale=32,
    ),
    NativeForm(
        name="minigpt",
        label_tags=("<p>", "</p> "),
        box_tags=("{", "}"),
        corners="<{x1}><{y1}><{x2}><{y2}>",
        separator="<delim>",
        sign=r"\{\s*<|</?p>",
        scale=100,
    ),
    NativeForm(
        name="cogvlm",
        box_tags=("[[", "]]"),
        corners="{x1:03d},{y1:03d},{x2:03d},{y2:03d}",
        separator=";",
        sign=rf"\[\s*\[\s*{NUMBER_START}",
        scale=1000,
        last=999,
    ),
    NativeForm(
        name="brackets",
        corners=_BRACKETS,
        sign=rf"\[\s*{NUMBER_START}[^\s,\[\]]*\s*,",
    ),
)
"""qwen_vl: Qwen-VL, Qwen2-VL; glm: GLM-4.1V and later; paligemma: PaliGemma 1 and 2; kosmos:
Kosmos-2; minigpt: MiniGPT-v2; brackets: Shikra, LLaVA."""

_TAGS: Final = frozenset(
    tag
    for form in NATIVE_FORMS
    for part in (
        form.corners,
        *form.box_tags,
        *(form.label_tags or ()),
        *(alias for _, alias in form.aliases),
    )
    for tag in re.findall(r"<[^<>{}\[\]]{2,}>?", part)
)


def is_box_token(token: str) -> bool:
    """Whether a family writes boxes with this token of its vocabulary."""
    return token in _TAGS or any(token.startswith(tag) for tag in _TAGS if not tag.endswith(">"))
