"""Published files below a folder of the user: which are missing, where to get them, and how they
are read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from groundrl.boxes import Box, Frame
from groundrl.errors import UserError
from groundrl.files import is_file
from groundrl.images import UnreadableImageError, check_shape, open_image, upright_size
from groundrl.records import ImageFile


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """The files of a data set."""

    root: Path
    parts: tuple[Path, ...]
    """One path for each of ``Download.parts``, in their order."""
    folders: tuple[Path, ...]
    """Folders of images; the first that holds an image counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """The files that a data set consists of, and where they are published."""

    name: str
    """Of the data set, for messages."""
    parts: Mapping[str, str]
    """Path below the root -> where to get it. The path is a pattern of ``Path.glob``; "|" stands
    between alternatives."""
    images: Mapping[str, str] = field(default_factory=dict)
    """The same, of folders of images."""
    images_beside: bool = False
    """Whether the folders of images belong beside the first part: a root that several data sets
    share may hold files and folders of the same name."""
    columns: tuple[str, ...] = ()
    """Of its rows in Parquet files, as the hub has them with their images; empty: not read."""
    world: str = ""
    """The benchmark of the embedded world that asks the same; empty where there is none."""

    def find(self, root: str | None, images: bool = True) -> FoundFiles:
        """Raises UserError that lists every missing part; folders of images may be missing unless
        ``images``."""
        whole = {**self.parts, **self.images}
        if root is None:
            listed = "".join(
                f"\n  {path.replace('|', ' or ')}: {place}" for path, place in whole.items()
            )
            raise UserError(
                f"{self.name} is read from a folder of yours: type data.root=<folder>. It holds"
                + listed
                + self._without_download()
            )
        folder = Path(root).expanduser()
        found = {pattern: glob_all(folder, pattern) for pattern in whole}
        needed = whole if images else self.parts
        absent = [pattern for pattern in needed if not found[pattern]]
        if absent:
            lacking = "".join(
                f"\n  {path.replace('|', ' or ')}: get it from {whole[path]}" for path in absent
            )
            state = "lacks" if folder.is_dir() else "does not exist; it needs"
            raise UserError(f"{self.name}: {folder} {state}{lacking}{self._without_download()}")
        parts = [found[pattern][0] for pattern in self.parts]
        folders = [path for pattern in self.images for path in found[pattern]]
        if self.images_beside:
            near = {path.parent for path in folders}
            files = found[next(iter(self.parts))]
            parts[0] = next((path for path in files if path.parent in near), files[0])
            folders.sort(key=lambda path: path.parent != parts[0].parent)
        return FoundFiles(root=folder, parts=tuple(parts), folders=tuple(folders))

    @property
    def image_advice(self) -> str:
        """Where to get the images, as a sentence without its stop."""
        places = " and ".join(dict.fromkeys(self.images.values()))
        return f"Get the images from {places or 'its publisher'}"

    def _without_download(self) -> str:
        """Other ways to the same questions, a line of a message each."""
        named = ", ".join(self.columns)
        table = f"\nOr it holds Parquet files with the columns {named}, as on the hub"
        world = f"\nNothing to download: data=world, benchmark={self.world}"
        return table * bool(self.columns) + world * bool(self.world)


def glob_all(folder: Path, patterns: str) -> list[Path]:
    """Matches of each pattern, sorted; "|" stands between patterns."""
    return [path for one in patterns.split("|") for path in sorted(folder.glob(one))]


def with_places(path: Path, content: Any, name: str = "") -> list[tuple[str, Any]]:
    """The items of a list, each with its place; the list stands in ``content`` below ``name`` where
    a name is given. Raises UserError where there is no list."""
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
COCO_IMAGES = {COCO_FOLDERS: COCO_PLACE}
"""``Download.images`` of data sets on COCO."""
_NUMBER = re.compile(r"(?:COCO_\w+?2014_)?(\d{12}\.jpg)")


class ImageFinder:
    """Finds images by name below folders and reads the size of each once."""

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
            path = next((path for path in paths if is_file(path)), None)
            self._known[name] = f"no image {name}" if path is None else read_size(path)
        return self._known[name]


def read_size(path: Path) -> ImageFile | str:
    """The image with its size (only its head is read), or why it cannot be read."""
    try:
        with open_image(path) as image:
            width, height = upright_size(image)
            check_shape(width, height)
    except UnreadableImageError as error:
        return f"{path}: {error}"
    return ImageFile(path=path, width=width, height=height)


def pixel_box(x1: float, y1: float, x2: float, y2: float) -> Box:
    """A PIXEL box. Raises ValueError for swapped corners."""
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL)


def _read_truth(value: object) -> bool:
    """Never of a text: ``bool("False")`` is true."""
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise ValueError(f"expected true or false, or 1 or 0, got {value!r:.40}")


Truth = Annotated[bool, BeforeValidator(_read_truth)]
"""Of a statement: true or false, or 1 or 0."""
