"""Sentences without the boxes that are written into them."""

import re
from typing import Final

_JSON_BOX: Final = re.compile(
    r'\[?\{\s*"bbox_2d"\s*:\s*\[[^\[\]{}"]*\]\s*,\s*"label"\s*:\s*"([^"]*)"\s*\}\]?'
)
_TAG: Final = re.compile(r"</?[a-z]+>")
_NUMBERS: Final = re.compile(r"\[[\d\s,.-]*\]?")


def without_boxes(text: str) -> str:
    """The words that a reader would say: of a box in any grammar its label remains, tags go.

    Numbers behind an opening bracket go even where the box is damaged. Takes linear time.
    """
    return _NUMBERS.sub("", _TAG.sub("", _JSON_BOX.sub(r"\1", text))).replace("]", "")
