"""Image files that data files name: where they are, and whether they can be decoded."""

import logging
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from groundrl.errors import UserError
from groundrl.files import is_file
from groundrl.images import UnreadableImageError, checked_size
from groundrl.records import ImageFile

logger = logging.getLogger(__name__)

IMAGE_SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def check_images(paths: Iterable[Path]) -> dict[Path, ImageFile | str]:
    """Decode each image, in parallel; the value is the reason for an image that cannot be."""
    distinct = list(dict.fromkeys(paths))
    # PIL decodes outside the interpreter lock, so threads are enough.
    with ThreadPoolExecutor(max_workers=min(32, 2 * (os.cpu_count() or 1))) as pool:
        return dict(zip(distinct, pool.map(_check_image, distinct), strict=True))


def _check_image(path: Path) -> ImageFile | str:
    if not is_file(path):
        return "no such image"
    try:
        width, height = checked_size(path)
    except UnreadableImageError as error:
        return str(error)
    return ImageFile(path=path, width=width, height=height)


def is_image(path: Path) -> bool:
    """Whether a path ends like an image file, in small or capital letters."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def images_in(folder: Path) -> list[Path]:
    """All image files below ``folder``, sorted by path."""
    return sorted(path for path in folder.rglob("*") if is_image(path))


def existing_folder(root: str | Path, what: str) -> Path:
    """``root`` with ``~`` expanded, relative to the working directory. Raises UserError."""
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder. Give the folder of a {what}.")
    return folder


def path_parts(written: str) -> list[str]:
    """The parts of a path of any system: ``..\\upload\\a.jpg`` -> ``..``, ``upload``, ``a.jpg``."""
    return [part for part in written.replace("\\", "/").split("/") if part not in ("", ".")]


class ImageFinder:
    """Finds the images that a data file names, also if their paths are those of another machine."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """``folders``: where paths start from, the likeliest first."""
        self.folders = list(dict.fromkeys(folders))
        self._by_name: dict[str, list[Path]] | None = None
        self._moved: list[tuple[str, Path]] = []
        self._missing: list[str] = []
        self._found = 0
        self._named = set[Path]()

    def find(self, written: str | Path) -> Path:
        """The file at this path below one of the folders, else the one below them that has its
        name; where there is none, a path that does not exist. A Path is taken as it is.

        Of several files of that name, the one whose path ends like ``written`` for longest counts;
        two that are equally near count as none.
        """
        found = written if isinstance(written, Path) else self._find(written)
        self._named.add(found)
        return found

    def _find(self, written: str) -> Path:
        parts = path_parts(written)
        places = [folder / one for folder in self.folders for one in (written, Path(*parts))]
        here = next(filter(is_file, places), None)
        if here is not None:
            self._found += 1
            return here
        ranked = sorted(
            ((_common_end(path.parts, parts), path) for path in self._of_name(parts)), reverse=True
        )
        if not ranked or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
            self._missing.append(written)
            return self.folders[0] / Path(*parts)
        self._moved.append((written, ranked[0][1]))
        return ranked[0][1]

    def has(self, written: str) -> bool:
        """Whether ``find`` would find a file; a path that leads to one is looked for first."""
        parts = path_parts(written)
        return any(is_file(folder / written) for folder in self.folders) or bool(
            self._of_name(parts)
        )

    def id_of(self, path: Path) -> str:
        """The path from the innermost folder that it lies in, without suffix."""
        inside = [path.relative_to(one) for one in self.folders if path.is_relative_to(one)]
        shortest = min(inside, key=lambda one: len(one.parts), default=Path(path.name))
        # A folder itself has no name: a list of images may hold a point.
        return shortest.with_suffix("").as_posix() if shortest.name else ""

    def check_found(self, source: str) -> None:
        """Log which images were found by their names alone. Raises UserError where none of several
        images was found; ``source`` is what named them."""
        if self._moved:
            written, path = self._moved[0]
            logger.warning(
                "%s: found %d image(s) by file name, as %s is no path here (took %s); type "
                "data.images=<folder>, or images=<folder> for synthesize.py, if others are meant",
                source,
                len(self._moved),
                written,
                path,
            )
        elif len(self._missing) > 1 and not self._found:
            looked = ", ".join(map(str, self.folders))
            raise UserError(
                f"{source}: none of its {len(self._missing)} images is here, such as "
                f"{self._missing[0]}. Looked below {looked}. Type data.images=<folder of the "
                "images>, or images=<folder> for synthesize.py."
            )

    def never_found(self) -> list[Path]:
        """Images below the likeliest folder that nothing has named."""
        return [path for path in images_in(self.folders[0]) if path not in self._named]

    def _of_name(self, parts: Sequence[str]) -> list[Path]:
        """Files of this name below the folders; of a name without suffix, images with any."""
        if self._by_name is None:
            self._by_name = {}
            for path in dict.fromkeys(p for folder in self.folders for p in images_in(folder)):
                self._by_name.setdefault(path.name.casefold(), []).append(path)
                self._by_name.setdefault(path.stem.casefold(), []).append(path)
        return self._by_name.get(parts[-1].casefold(), []) if parts else []


def _common_end(a: Sequence[str], b: Sequence[str]) -> int:
    """How many parts the ends of two paths have in common."""
    count = 0
    for one, other in zip(reversed(a), reversed(b), strict=False):
        if one.casefold() != other.casefold():
            break
        count += 1
    return count
