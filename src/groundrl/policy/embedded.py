"""Where the embedded model lies: the small model that ships with the package."""

from importlib.resources import files
from pathlib import Path
from typing import Final

EMBEDDED: Final = "embedded"
"""Its name, on every machine."""


def embedded_model_dir() -> Path:
    """The folder of its weights and its processor."""
    return Path(str(files("groundrl"))) / "assets" / "embedded"


def base_name(path: str) -> str:
    """The name of a base that was loaded from ``path``, as another machine understands it: a hub id
    and "embedded" are, a folder is what it is."""
    return EMBEDDED if path == str(embedded_model_dir()) else path
