"""The licence of a base model, as far as its own files state it."""

import re
from pathlib import Path
from typing import Final

from groundrl.policy.embedded import EMBEDDED

OWN: Final = "Apache-2.0"
"""Of the embedded model, which is part of this package."""
_LICENCE = re.compile(r"^licen[sc]e(?:_name)?:[ \t]*([\w.-]+)[ \t]*$", re.MULTILINE)
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def is_hub_id(base: str) -> bool:
    """Whether ``base`` is the name of a model on the hub, ``owner/name``."""
    return bool(_HUB_ID.fullmatch(base)) and not Path(base).exists()


def state_licence(base: str) -> str:
    """The licence in words, or where to look for it."""
    if base == EMBEDDED:
        return OWN
    card = Path(base).expanduser() / "README.md"
    if base and card.is_file():
        head = card.read_text(encoding="utf-8", errors="replace").split("\n---", 1)[0]
        if found := _LICENCE.search(head):
            return found[1]
    if is_hub_id(base):
        return f"as stated at https://huggingface.co/{base}"
    return "not stated beside its weights"
