"""File names that people read and files hold."""

import os
from pathlib import Path


def printable(path: str | Path) -> str:
    """The path as valid Unicode on one line, different for different paths; bytes outside UTF-8
    become ``\\xff``, a line's end and what else cannot be seen ``\\u000a``, and a backslash two."""
    text = os.fsencode(path).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
