"""Image collections of a run: a folder of files, or scenes of the embedded world."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from groundrl.data.datasets import WorldDataset
from groundrl.data.image_files import IMAGE_SUFFIXES
from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.files import printable
from groundrl.images import UnreadableImageError, checked_size
from groundrl.records import ImageFile
from groundrl.world.graph import Look, Subject
from groundrl.world.source import SceneImage

SUFFIXES: Final = IMAGE_SUFFIXES | {".gif"}
READ_AHEAD: Final = 32
"""Files that are checked in the background ahead of the current one."""
MAX_SHOWN: Final = 5
"""Reasons listed in an error message."""


class FolderImages:
    """All images in a folder and its subfolders, sorted by path.

    Links to folders are followed, each folder is read once. A file that is no usable image is
    skipped, and its reason is recorded; of an animation the first frame is used.
    """

    def __init__(self, root: str | Path, min_side: int = 16) -> None:
        """List the image files without opening them. Raises UserError where there are none."""
        self.root = Path(root).expanduser()
        self.min_side = min_side
        """Smallest length of the shorter side in pixels; smaller images are skipped."""
        self.skipped: dict[str, str] = {}
        """Path of each unusable file -> reason; complete after one full iteration."""
        if not self.root.is_dir():
            raise UserError(
                f"images={printable(self.root)}: no such folder. Type images=<folder with "
                "images>, or images=world for drawn scenes."
            )
        self._files = self._find_image_files()
        if not self._files:
            raise UserError(
                f"images={printable(self.root)}: no images in this folder or below it "
                f"({', '.join(sorted(SUFFIXES))}). Type images=<folder with images>, or "
                "images=world for drawn scenes."
            )

    @property
    def name(self) -> str:
        """Name of the folder."""
        return printable(self.root.resolve().name)

    def __len__(self) -> int:
        """Number of files, including those that turn out to be unusable."""
        return len(self._files)

    def __iter__(self) -> Iterator[InputImage]:
        """The usable images. Raises UserError at the end where there was none."""
        usable = 0
        for file, checked in self._check_files():
            if isinstance(checked, InputImage):
                usable += 1
                yield checked
            else:
                self.skipped[printable(file)] = checked
        if not usable:
            reasons = [f"  {name}: {why}" for name, why in self.skipped.items()]
            more = (
                [f"  ... and {len(reasons) - MAX_SHOWN} more"] if len(reasons) > MAX_SHOWN else []
            )
            lines = "\n".join([*reasons[:MAX_SHOWN], *more])
            raise UserError(
                f"images={printable(self.root)}: not one of {len(self)} files is a usable image:"
                f"\n{lines}\nType images=<folder with images>."
            )

    def _check_files(self) -> Iterator[tuple[str, InputImage | str]]:
        """Each file with its image, or with the reason why it is skipped."""
        # PIL releases the interpreter lock while it decodes, so threads are enough.
        with ThreadPoolExecutor(max_workers=min(READ_AHEAD, os.cpu_count() or 1)) as pool:
            ahead = deque[tuple[str, Future[InputImage | str]]]()
            for file in self._files:
                ahead.append((file, pool.submit(self._check_file, file)))
                if len(ahead) > READ_AHEAD:
                    first, future = ahead.popleft()
                    yield first, future.result()
            for file, future in ahead:
                yield file, future.result()

    def _check_file(self, file: str) -> InputImage | str:
        path = self.root / file
        if not path.is_file():
            return "no file, or a link that leads nowhere"
        try:
            width, height = checked_size(path)
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=16))
        except UnreadableImageError as error:
            return str(error)
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        if min(width, height) < self.min_side:
            return f"{width} x {height} pixels: both sides need {self.min_side}"
        image = ImageFile(path=path, width=width, height=height)
        return InputImage(id=printable(file), source=image, digest=digest.hexdigest())

    def _find_image_files(self) -> list[str]:
        """Relative paths of all files with an image suffix, sorted by their bytes."""
        found: list[str] = []
        seen: set[Path] = set()
        folders, links = [""], deque[str]()
        while folders or links:
            # Links come last, so that a file gets the path without a link where there is one.
            folder = folders.pop() if folders else links.popleft()
            real = (self.root / folder).resolve()
            if real in seen or (folder and self.root.resolve().is_relative_to(real)):
                continue
            seen.add(real)
            try:
                with os.scandir(self.root / folder) as entries:
                    inside = sorted(entries, key=lambda entry: os.fsencode(entry.name))
            except OSError as error:
                self.skipped[printable(folder)] = f"folder cannot be read ({error.strerror})"
                continue
            for entry in inside:
                path = os.path.join(folder, entry.name)
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif is_folder(entry):
                    links.append(path)
                elif Path(entry.name).suffix.lower() in SUFFIXES:
                    found.append(path)
        return sorted(found, key=os.fsencode)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether the entry is a folder or a link to one; false for a link to itself."""
    try:
        return entry.is_dir()
    except OSError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneImages:
    """Scenes of the embedded world; a scene is rendered when its image is loaded."""

    size: int
    """Number of scenes."""
    seed: int = 0
    subject: str = Subject.TABLETOP
    look: str = Look.PLAIN
    min_objects: int = 3
    max_objects: int = 5
    image_size: int = 160
    """Width and height, pixels."""
    name: str = "world"

    @property
    def skipped(self) -> Mapping[str, str]:
        """Always empty."""
        return {}

    def __post_init__(self) -> None:
        """Raises UserError for an unknown subject or look."""
        if self.size < 1:
            raise UserError(f"scenes.size={self.size}: type scenes.size=1 or more")
        self.make_dataset()

    def make_dataset(self) -> WorldDataset:
        """The data set that generates the scenes."""
        return WorldDataset(
            seed=self.seed,
            size=self.size,
            subject=self.subject,
            look=self.look,
            min_objects=self.min_objects,
            max_objects=self.max_objects,
            image_size=self.image_size,
        )

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[InputImage]:
        dataset = self.make_dataset()
        for index in range(self.size):
            image = SceneImage(spec=dataset.spec(index))
            digest = hashlib.blake2b(image.key.encode(), digest_size=16).hexdigest()
            yield InputImage(id=f"{index:06}", source=image, digest=digest)
