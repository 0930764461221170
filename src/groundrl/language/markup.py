"""Sentences without the boxes that are written into them."""

import re
from typing import Final

_JSON_BOX: Final = re.compile(
    r'\[?\{\s*"b?box_2d"\s*:\s*\[[^\[\]{}"]*\]\s*,\s*"label"\s*:\s*"([^"]*)"\s*\}\]?'
)
_LABEL_BEHIND: Final = re.compile(r"(?:<loc\d++>){4} ([^<;\n]*?) ;")
_PAIRS: Final = re.compile(r"\([\d., -]++\),\s*+\([\d., -]++\)| ?\{(?:<\d++>)++\}")
_TAG: Final = re.compile(r"<[|/]*+[a-z_]++\d*+\|?>")
_NUMBERS: Final = re.compile(r"\[[\d\s,.-]*\]?")


def without_boxes(text: str) -> str:
    """The words that a reader would say: of a box in any grammar its label remains, tags go.

    Numbers behind an opening bracket go even where the box is damaged. Takes linear time.
    """
    text = _PAIRS.sub("", _LABEL_BEHIND.sub(r"\1", _JSON_BOX.sub(r"\1", text)))
    return _NUMBERS.sub("", _TAG.sub("", text)).replace("]", "")
