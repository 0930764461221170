"""Published files below a folder of the user: what is missing, and where to get it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from groundrl.boxes import Box, Frame
from groundrl.errors import UserError
from groundrl.records import ImageFile, Sample

Number = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A benchmark that is downloaded."""

    root: str | None = None
    """The folder of the download; None: not given, which is enough for recorded answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What a benchmark consists of, and who publishes it."""

    name: str
    parts: Mapping[str, str]
    """Path below the root (a pattern of ``Path.glob``) -> where to get it."""

    def find(self, root: str | None) -> dict[str, Path]:
        """Pattern -> its first match. Raises UserError that lists every missing part."""
        parts = "".join(f"\n  {path}: {place}" for path, place in self.parts.items())
        if root is None:
            raise UserError(
                f"{self.name} is read from a folder of yours: type data.root=<folder>. It holds"
                + parts
            )
        folder = Path(root).expanduser()
        found = {pattern: sorted(folder.glob(pattern)) for pattern in self.parts}
        absent = [pattern for pattern, paths in found.items() if not paths]
        if absent:
            lacking = "".join(f"\n  {path}: get it from {self.parts[path]}" for path in absent)
            state = "lacks" if folder.is_dir() else "does not exist; it needs"
            raise UserError(f"{self.name}: {folder} {state}{lacking}")
        return {pattern: paths[0] for pattern, paths in found.items()}


def read_json(path: Path) -> Any:
    """Raises UserError with the place of a mistake."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error


def read_jsonl(path: Path) -> list[Any]:
    """One JSON value a line. Raises UserError with the place of a mistake."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise UserError(f"{path}:{number} is not valid JSON: {error}") from error
    return rows


def fields(row: Any, names: Iterable[str], where: str) -> list[Any]:
    """The values of a row. Raises UserError that names what it lacks."""
    wanted = list(names)
    absent = [name for name in wanted if not isinstance(row, dict) or name not in row]
    if absent:
        raise UserError(f"{where}: expected an object with the fields {', '.join(wanted)}")
    return [row[name] for name in wanted]


class Pictures:
    """Files found by name below folders, each looked at once."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._known: dict[str, ImageFile | str] = {}

    def find(self, *names: str) -> ImageFile | str:
        """The first of the names that is there, or why there is none."""
        key = "|".join(names)
        if key not in self._known:
            paths = [folder / name for name in names for folder in self._folders]
            path = next((path for path in paths if path.is_file()), None)
            self._known[key] = f"no picture {names[0]}" if path is None else picture(path)
        return self._known[key]


def picture(path: Path) -> ImageFile | str:
    """The picture with its size (only its head is read), or why it cannot be read."""
    try:
        with Image.open(path) as image:
            return ImageFile(path=path, width=image.width, height=image.height)
    except (OSError, SyntaxError, ValueError) as error:
        return f"{path} cannot be read ({error})"


def some_or_raise(name: str, samples: list[Sample], missing: list[str]) -> None:
    """Raises UserError when not one question has its picture."""
    if not samples:
        first = f", for example {missing[0]}" if missing else ""
        raise UserError(f"{name}: none of {len(missing)} questions has its picture{first}")


def pixel_corners(x1: Number, y1: Number, x2: Number, y2: Number) -> Box:
    """A PIXEL box. Raises ValueError for swapped corners, TypeError for what is no number."""
    return Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL)
