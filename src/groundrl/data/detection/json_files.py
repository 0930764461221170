"""JSON annotation files."""

import json
from pathlib import Path
from typing import Any

from groundrl.errors import UserError
from groundrl.files import read_text


def read_json(path: Path) -> Any:
    """The content of a file. Raises UserError for another encoding, or what is no JSON."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error


def is_json(path: Path) -> bool:
    """Whether a file is called so."""
    return path.is_file() and path.suffix.lower() == ".json"


def holds_list(path: Path) -> bool:
    """Whether a file begins like a JSON list."""
    with path.open("rb") as opened:
        return opened.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
