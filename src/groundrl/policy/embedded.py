"""Where the embedded model lies: the small model that ships with the package."""

from importlib.resources import files
from pathlib import Path


def embedded_model_dir() -> Path:
    """The folder of its weights and its processor."""
    return Path(str(files("groundrl"))) / "assets" / "embedded"
