"""Where the images of a run come from: a folder, or the embedded world."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from groundrl.data.datasets import WorldDataset
from groundrl.data.detection import IMAGE_SUFFIXES
from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.files import printable
from groundrl.images import UnreadableImageError, checked_size
from groundrl.records import ImageFile
from groundrl.world.graph import Look, Subject
from groundrl.world.source import SceneImage

SUFFIXES: Final = IMAGE_SUFFIXES | {".gif"}
MAX_ASPECT: Final = 200
"""Longer over shorter side; processors of the Qwen-VL family refuse more."""
READ_AHEAD: Final = 32
"""Images that are checked while others are worked on."""
MAX_SHOWN: Final = 5
"""Reasons in an error message."""


class FolderImages:
    """Every image below a folder, in the order of their paths.

    Folders that links lead to belong to it, each once. What is no usable image is left out with
    its reason and ends nothing; of an animation the first frame is used.
    """

    def __init__(self, root: str | Path, min_side: int = 16) -> None:
        """Looks for files, opens none. Raises UserError where there are none."""
        self.root = Path(root).expanduser()
        self.min_side = min_side
        """Pixels of the shorter side below which nothing can be seen."""
        self.left_out: dict[str, str] = {}
        """Reasons by id, complete when all images were asked for."""
        if not self.root.is_dir():
            raise UserError(
                f"images={printable(self.root)}: no such folder. Type images=<folder with "
                "images>, or images=world for drawn scenes."
            )
        self._files = self._below()
        if not self._files:
            raise UserError(
                f"images={printable(self.root)}: no images in this folder or below it "
                f"({', '.join(sorted(SUFFIXES))}). Type images=<folder with images>, or "
                "images=world for drawn scenes."
            )

    @property
    def name(self) -> str:
        """Of the folder."""
        return printable(self.root.resolve().name)

    def __len__(self) -> int:
        """Files, those among them that turn out to be no images."""
        return len(self._files)

    def __iter__(self) -> Iterator[InputImage]:
        """The usable ones. Raises UserError at the end when there was none."""
        usable = 0
        for file, found in self._checked():
            if isinstance(found, InputImage):
                usable += 1
                yield found
            else:
                self.left_out[printable(file)] = found
        if not usable:
            reasons = [f"  {name}: {why}" for name, why in self.left_out.items()]
            more = (
                [f"  ... and {len(reasons) - MAX_SHOWN} more"] if len(reasons) > MAX_SHOWN else []
            )
            lines = "\n".join([*reasons[:MAX_SHOWN], *more])
            raise UserError(
                f"images={printable(self.root)}: not one of {len(self)} files is a usable image:"
                f"\n{lines}\nType images=<folder with images>."
            )

    def _checked(self) -> Iterator[tuple[str, InputImage | str]]:
        """Each file with its image, or with the reason why it is none."""
        # PIL decodes outside the interpreter lock, so threads are enough.
        with ThreadPoolExecutor(max_workers=min(READ_AHEAD, os.cpu_count() or 1)) as pool:
            ahead = deque[tuple[str, Future[InputImage | str]]]()
            for file in self._files:
                ahead.append((file, pool.submit(self._check, file)))
                if len(ahead) > READ_AHEAD:
                    first, coming = ahead.popleft()
                    yield first, coming.result()
            for file, coming in ahead:
                yield file, coming.result()

    def _check(self, file: str) -> InputImage | str:
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
        short, long = sorted((width, height))
        if short < self.min_side:
            return f"{width} x {height} pixels: both sides need {self.min_side}"
        if long > MAX_ASPECT * short:
            return f"{width} x {height} pixels: one side may be {MAX_ASPECT} times the other"
        image = ImageFile(path=path, width=width, height=height)
        return InputImage(id=printable(file), source=image, digest=digest.hexdigest())

    def _below(self) -> list[str]:
        """Paths from the root of all files that are called images, sorted by their bytes."""
        found: list[str] = []
        seen: set[Path] = set()
        folders, links = [""], deque[str]()
        while folders or links:
            # Links come last, so that an image is called by its own folder where it can be.
            folder = folders.pop() if folders else links.popleft()
            real = (self.root / folder).resolve()
            if real in seen or (folder and self.root.resolve().is_relative_to(real)):
                continue
            seen.add(real)
            try:
                with os.scandir(self.root / folder) as entries:
                    inside = sorted(entries, key=lambda entry: os.fsencode(entry.name))
            except OSError as error:
                self.left_out[printable(folder)] = f"folder cannot be read ({error.strerror})"
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
    """Whether it is a folder, or a link to one; a link to itself is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneImages:
    """Scenes of the embedded world, drawn when they are looked at."""

    size: int
    """Scenes."""
    seed: int = 0
    subject: str = Subject.TABLETOP
    look: str = Look.PLAIN
    min_objects: int = 3
    max_objects: int = 5
    image_size: int = 160
    """Width and height, pixels."""
    name: str = "world"

    @property
    def left_out(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def __post_init__(self) -> None:
        """Raises UserError for unknown words."""
        if self.size < 1:
            raise UserError(f"scenes.size={self.size}: type scenes.size=1 or more")
        self.scenes()

    def scenes(self) -> WorldDataset:
        """The scenes by index."""
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
        scenes = self.scenes()
        for index in range(self.size):
            image = SceneImage(spec=scenes.spec(index))
            digest = hashlib.blake2b(image.key.encode(), digest_size=16).hexdigest()
            yield InputImage(id=f"{index:06}", source=image, digest=digest)
