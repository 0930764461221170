"""JSON annotation files."""

from pathlib import Path


def is_json(path: Path) -> bool:
    """Whether a file is called so."""
    return path.is_file() and path.suffix.lower() == ".json"


def holds_list(path: Path) -> bool:
    """Whether a file begins like a JSON list."""
    with path.open("rb") as opened:
        return opened.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
