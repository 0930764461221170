"""Published files below a folder of the user: what is missing, and where to get it."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from groundrl.boxes import Box, Frame
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Form, QuestionSet
from groundrl.fields import Fields
from groundrl.images import UnreadableImageError, open_image, upright_size
from groundrl.records import ImageFile, NamedImage, Sample

Number = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedBenchmark(ABC):
    """A benchmark that is downloaded."""

    form: ClassVar[Form]
    told_by_lists: ClassVar[bool] = True
    """Whether a JSON list of answers says all that scoring needs."""
    sizes: ClassVar[Mapping[str, int]] = {}
    """How many questions are published, by ``part``."""

    root: str | None = None
    """The folder of the download; None: not given, which is enough for recorded answers."""

    @property
    def part(self) -> str:
        """The published part that is asked."""
        return ""

    @abstractmethod
    def questions(self, images: bool = True) -> QuestionSet:
        """See ``Benchmark``. Without ``images``, those that are not there are asked about, too,
        as ``NamedImage``: their answers are known."""


AnyImage = ImageFile | NamedImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What a benchmark consists of, and who publishes it."""

    name: str
    parts: Mapping[str, str]
    """Path below the root -> where to get it. The path is a pattern of ``Path.glob``; one of
    several does where "|" stands between them."""
    images: Mapping[str, str] = field(default_factory=dict)
    """The same, of folders of images."""

    def find(self, root: str | None, images: bool = True) -> dict[str, list[Path]]:
        """Pattern -> its matches. Raises UserError that lists every missing part; folders of
        images may be missing unless ``images``."""
        whole = {**self.parts, **self.images}
        parts = "".join(
            f"\n  {path.replace('|', ' or ')}: {place}" for path, place in whole.items()
        )
        if root is None:
            raise UserError(
                f"{self.name} is read from a folder of yours: type data.root=<folder>. It holds"
                + parts
            )
        folder = Path(root).expanduser()
        found = {
            pattern: [path for one in pattern.split("|") for path in sorted(folder.glob(one))]
            for pattern in whole
        }
        needed = whole if images else self.parts
        absent = [pattern for pattern in needed if not found[pattern]]
        if absent:
            lacking = "".join(
                f"\n  {path.replace('|', ' or ')}: get it from {whole[path]}" for path in absent
            )
            state = "lacks" if folder.is_dir() else "does not exist; it needs"
            raise UserError(f"{self.name}: {folder} {state}{lacking}")
        return found


def pick_beside(files: Sequence[Path], folders: Sequence[Path]) -> tuple[Path, list[Path]]:
    """The file that stands beside one of the folders, else the first; and the folders, those
    beside it first: a shared root holds files of the same name of several benchmarks."""
    near = {folder.parent for folder in folders}
    file = next((file for file in files if file.parent in near), files[0])
    return file, sorted(folders, key=lambda folder: folder.parent != file.parent)


def read_json(path: Path) -> Any:
    """Raises UserError with the place of a mistake."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error


def with_places(path: Path, content: Any, name: str = "") -> list[tuple[str, Any]]:
    """A list that a file holds, below ``name`` where that is given, as values with their places."""
    rows = content.get(name) if name and isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a list of records" + (f" below {name!r}" * bool(name)))
    return [(f"{path}: {name or 'record'} {index}", row) for index, row in enumerate(rows)]


def read_lines(path: Path) -> list[str]:
    """Lines of a text. Raises UserError when it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: {error}") from error


COCO_FOLDERS = "**/val2014|**/train2014|**/val2017|**/train2017"
COCO_PLACE = "https://cocodataset.org/#download (both years hold the same images)"
_NUMBER = re.compile(r"(?:COCO_\w+?2014_)?(\d{12}\.jpg)")


class ImageFinder:
    """Files found by name below folders, each looked at once."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._known: dict[str, ImageFile | str] = {}

    def find(self, name: str) -> ImageFile | str:
        """The image, or why there is none. COCO's images are found by their number."""
        if name not in self._known:
            number = _NUMBER.fullmatch(name)
            names = [name]
            if number:
                names += [number[1], f"COCO_val2014_{number[1]}", f"COCO_train2014_{number[1]}"]
            paths = (folder / one for one in names for folder in self._folders)
            path = next((path for path in paths if path.is_file()), None)
            self._known[name] = f"no image {name}" if path is None else read_size(path)
        return self._known[name]


class QuestionCollector:
    """Collects questions while their images are looked for."""

    def __init__(self, name: str, images: ImageFinder, needed: bool = True) -> None:
        self.name = name
        self.images = images
        """Where to look; may change on the way."""
        self.needed = needed
        """Whether a question without its image is not asked."""
        self._samples: list[Sample] = []
        self._missing: list[str] = []

    def each(self, rows: Iterable[tuple[str, Any]], read: Callable[[int, Fields], None]) -> None:
        """Reads records by their number. Raises UserError with the place of a damaged one, whose
        reading raises ValueError."""
        for number, (where, row) in enumerate(rows):
            try:
                if isinstance(row, ValueError):
                    raise row
                read(number, Fields.of(row))
            except ValueError as error:
                raise UserError(f"{where}: {error}") from error

    def image(self, question: str, name: str) -> AnyImage | None:
        """The image of a question; without one the question is noted as missing."""
        found = self.images.find(name)
        if not isinstance(found, str):
            return found
        if not self.needed:
            return NamedImage(key=name)
        self._missing.append(f"{question}: {found}")
        return None

    def add(self, sample: Sample) -> None:
        """One more question."""
        self._samples.append(sample)

    def questions(self) -> QuestionSet:
        """All of them. Raises UserError when not one has its image."""
        if not self._samples and not self._missing:
            raise UserError(f"{self.name}: its files hold no question of the part that is asked")
        if not self._samples:
            raise UserError(
                f"{self.name}: none of {len(self._missing)} questions has its image, for "
                f"example {self._missing[0]}"
            )
        return QuestionSet(samples=tuple(self._samples), missing=tuple(self._missing))


def read_size(path: Path) -> ImageFile | str:
    """The image with its size (only its head is read), or why it cannot be read."""
    try:
        with open_image(path) as image:
            width, height = upright_size(image)
    except UnreadableImageError as error:
        return f"{path}: {error}"
    return ImageFile(path=path, width=width, height=height)


def pixel_corners(x1: Number, y1: Number, x2: Number, y2: Number) -> Box:
    """A PIXEL box. Raises ValueError for swapped corners, TypeError for what is no number."""
    return Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL)
