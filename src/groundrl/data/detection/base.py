"""Detection data sets: images with boxes, and what readers of their layouts have in common."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Final, Protocol, runtime_checkable

import numpy as np

from groundrl.boxes import Box, Frame
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.records import Grounding, ImageFile, ImageSource

logger = logging.getLogger(__name__)

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
    denied: frozenset[str] | None = None
    """Classes that annotators looked for and did not find; None: all of the data set that have no
    box here."""
    licence: str | None = None
    """Of the image; None if the annotation file does not hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionSet:
    """One split of a detection data set, checked: every image decodes, every box fits."""

    name: str
    split: str
    names: tuple[str, ...]
    """All classes an annotator could have drawn, whether or not they occur."""
    images: tuple[AnnotatedImage, ...]
    wider: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Class -> the wider classes that the file puts it under (supercategories)."""


def uncertain_classes(image: AnnotatedImage, names: Iterable[str]) -> frozenset[str]:
    """The classes, of those of its data set, of which there may be more than the image has
    boxes."""
    if image.denied is None:
        return image.uncounted
    drawn = {item.label for item in image.groundings}
    return image.uncounted | (frozenset(names) - image.denied - drawn)


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
    wider: Mapping[str, frozenset[str]] | None = None,
) -> DetectionSet:
    """The split. Raises UserError if ``problems`` holds any, or if there is no box at all."""
    images = tuple(images)
    boxes = sum(len(image.groundings) for image in images)
    if not problems.found and not boxes:
        problems.add(name, f"{len(images)} images and not one box: the data set is empty")
    problems.raise_if_any()
    names = tuple(dict.fromkeys(names))
    logger.info(
        "%s: %d images, %d boxes, %d classes", problems.source, len(images), boxes, len(names)
    )
    return DetectionSet(name=name, split=split, names=names, images=images, wider=wider or {})


def split_images(found: DetectionSet, share: float) -> tuple[DetectionSet, DetectionSet]:
    """The data set without ``share`` of its images, and a split "heldout" of these.

    Which ones is the same for every seed of a run. Raises UserError where one part would be empty.
    """
    count = round(share * len(found.images)) if 0 < share < 1 else 0
    if not 0 < count < len(found.images):
        raise UserError(
            f"data.heldout_split={share:g}: expected a share between 0 and 1 that leaves images "
            f"for both parts of the {len(found.images)} there are; type data.heldout_split=0.2"
        )
    order = np.random.default_rng(0).permutation(len(found.images))
    chosen = {*order[:count].tolist()}
    parts: tuple[list[AnnotatedImage], list[AnnotatedImage]] = ([], [])
    for index, image in enumerate(found.images):
        parts[index in chosen].append(image)
    return (
        replace(found, images=tuple(parts[0])),
        replace(found, images=tuple(parts[1]), split="heldout"),
    )


def describe_other_size(stated: Sequence[object], image: ImageFile) -> str:
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


def pixels_outside(box: Box, image: ImageFile) -> float:
    """How far a PIXEL box reaches out of its image, in pixels; negative for a box inside it."""
    return float(max(-box.x1, -box.y1, box.x2 - image.width, box.y2 - image.height))


class Boxes:
    """Collects the boxes of one image. Published data sets, COCO among them, have a few repeated
    boxes and boxes without area: these are left out and noted."""

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
