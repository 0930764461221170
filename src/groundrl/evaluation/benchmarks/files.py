"""Published files below a folder of the user: what is missing, and where to get it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from groundrl.boxes import Box, Frame
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Form, Questions
from groundrl.images import UnreadableImageError, opened, upright_size
from groundrl.records import ImageFile, Sample

Number = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A benchmark that is downloaded."""

    form: ClassVar[Form]
    told_by_lists: ClassVar[bool] = True
    """Whether a JSON list of answers says all that scoring needs."""

    root: str | None = None
    """The folder of the download; None: not given, which is enough for recorded answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenImage:
    """A picture that only its name is known of, as answers in a file mention it."""

    key: str
    width: int = 0
    """0 when the file does not say."""
    height: int = 0

    def load(self) -> Any:
        """Raises UserError: there is nothing to load."""
        raise UserError(f"the picture {self.key} is not here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What a benchmark consists of, and who publishes it."""

    name: str
    parts: Mapping[str, str]
    """Path below the root -> where to get it. The path is a pattern of ``Path.glob``; one of
    several does where "|" stands between them."""

    def find(self, root: str | None) -> dict[str, list[Path]]:
        """Pattern -> its matches. Raises UserError that lists every missing part."""
        parts = "".join(
            f"\n  {path.replace('|', ' or ')}: {place}" for path, place in self.parts.items()
        )
        if root is None:
            raise UserError(
                f"{self.name} is read from a folder of yours: type data.root=<folder>. It holds"
                + parts
            )
        folder = Path(root).expanduser()
        found = {
            pattern: [path for one in pattern.split("|") for path in sorted(folder.glob(one))]
            for pattern in self.parts
        }
        absent = [pattern for pattern, paths in found.items() if not paths]
        if absent:
            lacking = "".join(
                f"\n  {path.replace('|', ' or ')}: get it from {self.parts[path]}"
                for path in absent
            )
            state = "lacks" if folder.is_dir() else "does not exist; it needs"
            raise UserError(f"{self.name}: {folder} {state}{lacking}")
        return found


def read_json(path: Path) -> Any:
    """Raises UserError with the place of a mistake."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error


def read_jsonl(path: Path) -> list[Any]:
    """One JSON value a line. Raises UserError with the place of the first mistake."""
    rows = []
    for where, value in json_lines(path, path.read_bytes()):
        if isinstance(value, ValueError):
            raise UserError(f"{where} is not valid JSON: {value}") from value
        rows.append(value)
    return rows


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


def read_lines(path: Path) -> list[str]:
    """Lines of a text. Raises UserError when it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: {error}") from error


def fields(row: Any, names: Iterable[str], where: str) -> list[Any]:
    """The values of a row. Raises UserError that names what it lacks."""
    wanted = list(names)
    absent = [name for name in wanted if not isinstance(row, dict) or name not in row]
    if absent:
        raise UserError(f"{where}: expected an object with the fields {', '.join(wanted)}")
    return [row[name] for name in wanted]


COCO_FOLDERS = "**/val2014|**/train2014|**/val2017|**/train2017"
COCO_PLACE = "https://cocodataset.org/#download (both years hold the same pictures)"
_NUMBER = re.compile(r"(?:COCO_\w+?2014_)?(\d{12}\.jpg)")


class Pictures:
    """Files found by name below folders, each looked at once."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._known: dict[str, ImageFile | str] = {}

    def find(self, name: str) -> ImageFile | str:
        """The picture, or why there is none. COCO's pictures are found by their number."""
        if name not in self._known:
            number = _NUMBER.fullmatch(name)
            names = [name]
            if number:
                names += [number[1], f"COCO_val2014_{number[1]}", f"COCO_train2014_{number[1]}"]
            paths = (folder / one for one in names for folder in self._folders)
            path = next((path for path in paths if path.is_file()), None)
            self._known[name] = f"no picture {name}" if path is None else picture(path)
        return self._known[name]


class Asked:
    """Collects questions while their pictures are looked for."""

    def __init__(self, name: str, pictures: Pictures) -> None:
        self.name = name
        self.pictures = pictures
        """Where to look; may change on the way."""
        self._samples: list[Sample] = []
        self._missing: list[str] = []

    def picture(self, question: str, name: str) -> ImageFile | None:
        """The picture of a question; without one the question is noted as missing."""
        found = self.pictures.find(name)
        if isinstance(found, str):
            self._missing.append(f"{question}: {found}")
            return None
        return found

    def add(self, sample: Sample) -> None:
        """One more question."""
        self._samples.append(sample)

    def questions(self) -> Questions:
        """All of them. Raises UserError when not one has its picture."""
        if not self._samples:
            first = f", for example {self._missing[0]}" if self._missing else ""
            raise UserError(
                f"{self.name}: none of {len(self._missing)} questions has its picture{first}"
            )
        return Questions(samples=tuple(self._samples), missing=tuple(self._missing))


def picture(path: Path) -> ImageFile | str:
    """The picture with its size (only its head is read), or why it cannot be read."""
    try:
        with opened(path) as image:
            width, height = upright_size(image)
    except UnreadableImageError as error:
        return f"{path}: {error}"
    return ImageFile(path=path, width=width, height=height)


def pixel_corners(x1: Number, y1: Number, x2: Number, y2: Number) -> Box:
    """A PIXEL box. Raises ValueError for swapped corners, TypeError for what is no number."""
    return Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL)
