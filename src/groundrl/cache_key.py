"""Names of what answers depend on: caches keep under them, and people read them."""

import hashlib
import json
from pathlib import Path
from typing import Final

MAX_VALUE_LENGTH: Final = 60
"""Characters of a setting that is written out."""


def cache_key(kind: str, /, **settings: object) -> str:
    """``kind key=value key=value``: values as JSON, a digest of those that are long. Null is left
    out. Equal names, equal settings."""
    return " ".join([kind, *(f"{k}={_shown(v)}" for k, v in settings.items() if v is not None)])


def _shown(value: object) -> str:
    text = json.dumps(value, default=repr, sort_keys=True)
    return text if len(text) <= MAX_VALUE_LENGTH else f"#{digest(text)}"


def digest(text: str) -> str:
    """16 hex digits of BLAKE2b."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def folder_digest(model: str) -> str | None:
    """A digest of the names, sizes and times of change of the files in a model's folder; None for
    the id of a hub, whose publisher tells versions apart."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return None
    found = [(path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file()]
    return digest(repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]))
