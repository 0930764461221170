"""Cache keys that people can read: one text for all settings that a result depends on."""

import hashlib
import json
from pathlib import Path
from typing import Final

MAX_VALUE_LENGTH: Final = 60
"""Longer settings are replaced by their digest."""


def cache_key(kind: str, /, **settings: object) -> str:
    """``kind name=value name=value``; equal keys mean equal settings.

    Values are written as JSON, or as ``#digest`` if they are long. Settings that are None are left
    out.
    """
    return " ".join([kind, *(f"{k}={_format(v)}" for k, v in settings.items() if v is not None)])


def _format(value: object) -> str:
    text = json.dumps(value, default=repr, sort_keys=True)
    return text if len(text) <= MAX_VALUE_LENGTH else f"#{digest(text)}"


def digest(text: str) -> str:
    """16 hex digits of BLAKE2b."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def folder_digest(model: str) -> str | None:
    """A digest of the names, sizes and modification times of the files in a model's folder.

    None for a hub id: it stands for a published version."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return None
    found = [(path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file()]
    return digest(repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]))
