"""Detection data sets: images with boxes, and what the readers of their layouts have in common."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Protocol, runtime_checkable

from groundrl.boxes import Box, Frame
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.images import UnreadableImageError, checked_size
from groundrl.records import Grounding, ImageFile, ImageSource

IMAGE_SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
BOX_TOLERANCE: Final = 1.0
"""Pixels a box may reach out of its image and still be clipped: rounding of the annotation
tool. Anything further is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedImage:
    """An image and every box that annotators drew on it, PIXEL frame."""

    id: str
    """Unique within the data set and split: the file's path in its folder, without suffix."""
    image: ImageSource
    groundings: tuple[Grounding, ...]
    """Labels are class names."""
    uncounted: frozenset[str] = frozenset()
    """Classes that are also there without boxes of their own (crowds): their number is unknown."""
    licence: str | None = None
    """Of the image, where the file says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionSet:
    """One split of a detection data set, checked: every image decodes, every box fits."""

    name: str
    split: str
    names: tuple[str, ...]
    """All classes an annotator could have drawn, whether or not they occur."""
    images: tuple[AnnotatedImage, ...]


@runtime_checkable
class Layout(Protocol):
    """How a detection data set lies on disk. A class with these three members adds one."""

    form: ClassVar[str]
    """What its files look like, for error messages: "a VOC folder (Annotations/)"."""

    def recognises(self, path: Path) -> bool:
        """Whether a file or folder is a data set of this layout; its content need not be valid."""
        ...

    def read(
        self,
        path: str | Path,
        split: str | None,
        *,
        images: str | Path | None = None,
        skip_unreadable: bool = False,
    ) -> DetectionSet:
        """Read one split; None takes everything, where the layout allows that.

        ``images``: their folder, for annotation files that do not lie beside their images.
        ``skip_unreadable``: images that cannot be read are left out and logged, instead of being
        errors. Raises one UserError with all problems.
        """
        ...


def check_set(
    problems: Problems,
    *,
    name: str,
    split: str,
    names: Iterable[str],
    images: Iterable[AnnotatedImage],
) -> DetectionSet:
    """The split. Raises UserError if ``problems`` holds any, or if there is no box at all."""
    images = tuple(images)
    if not problems.found and not any(image.groundings for image in images):
        problems.add(name, f"{len(images)} images and not one box: the data set is empty")
    problems.raise_if_any()
    return DetectionSet(name=name, split=split, names=tuple(names), images=images)


def check_images(paths: Iterable[Path]) -> dict[Path, ImageFile | str]:
    """Decode each image, in parallel; the value is the reason for an image that cannot be."""
    distinct = list(dict.fromkeys(paths))
    # PIL decodes outside the interpreter lock, so threads are enough.
    with ThreadPoolExecutor(max_workers=min(32, 2 * (os.cpu_count() or 1))) as pool:
        return dict(zip(distinct, pool.map(_check_image, distinct), strict=True))


def _check_image(path: Path) -> ImageFile | str:
    if not path.is_file():
        return "no such image"
    try:
        width, height = checked_size(path)
    except UnreadableImageError as error:
        return str(error)
    return ImageFile(path=path, width=width, height=height)


def describe_other_size(stated: tuple[object, object], image: ImageFile) -> str:
    """The problem that an annotation file states another (width, height) than the image has."""
    size = f"{image.width} x {image.height}"
    turned = f"{stated[1]} x {stated[0]}" == size
    return f"says {stated[0]} x {stated[1]} pixels, {image.path.name} has {size}" + (
        " upright: save it that way, so that the place of its boxes is certain" if turned else ""
    )


def pixel_box(corners: tuple[float, float, float, float], image: ImageFile) -> Box:
    """The box in ``image``, clipped by at most one pixel. Raises ValueError."""
    x1, y1, x2, y2 = corners
    box = Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL)
    width, height = float(image.width), float(image.height)
    outside = pixels_outside(box, image)
    if outside > BOX_TOLERANCE:
        raise ValueError(
            f"box [{x1:g}, {y1:g}, {x2:g}, {y2:g}] lies {outside:.1f} pixels outside the image "
            f"of {image.width} x {image.height}"
        )
    x1, x2 = min(max(x1, 0.0), width), min(max(x2, 0.0), width)
    y1, y2 = min(max(y1, 0.0), height), min(max(y2, 0.0), height)
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=box.frame)


class Boxes:
    """The boxes of one image while it is read. Published data sets, COCO among them, hold a few
    repeated boxes and boxes without area: these are left out and noted."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.uncounted: set[str] = set()
        self._places: dict[Grounding, str] = {}

    @property
    def groundings(self) -> tuple[Grounding, ...]:
        """In the order of the file."""
        return tuple(self._places)

    def add(self, item: Grounding, where: str) -> None:
        """Add the box found at ``where`` (file and place), unless it has no area or is a repeat."""
        if item.box.area <= 0:
            self.problems.note(where, f"box of {item.label!r} without area")
            # Something is there, at an unknown place: the class must not be counted.
            self.uncounted.add(item.label)
        elif item in self._places:
            self.problems.note(where, f"repeats {self._places[item]}")
        else:
            self._places[item] = where


def pixels_outside(box: Box, image: ImageFile) -> float:
    """How far a PIXEL box reaches out of its image, in pixels; negative for a box inside it."""
    return float(max(-box.x1, -box.y1, box.x2 - image.width, box.y2 - image.height))


def existing_folder(root: str | Path, what: str) -> Path:
    """``root`` with ``~`` expanded, relative to the working directory. Raises UserError."""
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder. Give the folder of a {what}.")
    return folder


def images_in(folder: Path) -> list[Path]:
    """All image files below ``folder``, sorted by path."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )
