"""What the readers of files have in common: a small intact copy, and who reads it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

WIDTH, HEIGHT = 100, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Something that reads files."""

    write: Callable[[Path], object]
    """Writes an intact copy into a new folder."""
    damaged: str
    """Which of its files are damaged, as a pattern."""
    read: Callable[[Path], object]
    """Reads the folder."""
    errors: tuple[type[Exception], ...] = ()
    """What its docstring promises beside UserError."""


def draw(*names: str) -> Callable[[Path], None]:
    """Writes images of ``WIDTH`` x ``HEIGHT``."""

    def write(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (WIDTH, HEIGHT), (9, 90, 200)).save(folder / name)

    return write


def place(folder: Path, name: str, content: str | bytes | Sequence[Any] | dict[str, Any]) -> None:
    """Write a file: bytes, text, or a value as JSON."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        (folder / name).write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text, encoding="utf-8")


def files(
    images: Sequence[str], **content: str | bytes | Sequence[Any] | dict[str, Any]
) -> Callable[[Path], None]:
    """Writes images, and files whose names are spelt with ``__`` for a slash and ``_`` for a
    point at their end: ``labels__a_txt``."""

    def write(folder: Path) -> None:
        draw(*images)(folder)
        for name, one in content.items():
            stem, _, suffix = name.replace("__", "/").rpartition("_")
            place(folder, f"{stem}.{suffix}", one)

    return write


def lines(*rows: dict[str, Any]) -> str:
    """JSONL."""
    return "".join(json.dumps(row) + "\n" for row in rows)
