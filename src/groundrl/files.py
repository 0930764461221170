"""How files are named, read and written, everywhere."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def printable(path: str | Path) -> str:
    """The path as valid Unicode on one line, different for different paths; bytes outside UTF-8
    become ``\\xff``, a line's end and what else cannot be seen ``\\u000a``, and a backslash two."""
    text = os.fsencode(path).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def json_lines(path: Path, content: bytes) -> Iterator[tuple[str, Any]]:
    """``file:line`` and its value, or the ValueError of what is no JSON; blank lines are left out.

    Bytes are split, for texts may hold separators that only ``str.splitlines`` knows.
    """
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except ValueError as error:  # of JSON, or of UTF-8
                value = error
            yield f"{path}:{number}", value
