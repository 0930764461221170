"""The detector interface, and checks that detectors share: vocabularies, regions in the image."""

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from groundrl.boxes import Box, Frame
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError
from groundrl.records import ImageSource


@runtime_checkable
class Batched(Protocol):
    """A detector, teacher or verifier that is fastest with several inputs in one call."""

    @property
    def batch_size(self) -> int: ...
    def __call__(self, inputs: Any, /) -> Any: ...


class UnlabelledImageError(Exception):
    """The labels do not cover an image: without boxes it may still show objects."""


@runtime_checkable
class Detector(Protocol):
    """Finds objects in images. A class with these three members adds one."""

    @property
    def name(self) -> str:
        """A cache key: equal names, equal regions for equal images (see ``cache_key``)."""
        ...

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Every label that it looks for: an image without a region of a label shows no such object.
        Empty if that is unknown."""
        ...

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        """The regions of each image, doubts included. Raises UnlabelledImageError for an image that
        its labels do not cover."""
        ...


@runtime_checkable
class OpenVocabulary(Protocol):
    """A detector that can be asked for any label, also for one outside its vocabulary."""

    def find(self, images: Sequence[InputImage], labels: Sequence[str]) -> list[tuple[Region, ...]]:
        """For each image the regions of one label, asked for alone: its scores do not depend on
        what else is asked for."""
        ...


@runtime_checkable
class DependsOnPath(Protocol):
    """A detector whose regions depend on which file an image is, not on its pixels alone."""

    def image_key(self, image: InputImage) -> str:
        """What they depend on; equal pixels with another key may have other regions."""
        ...


@runtime_checkable
class HasLicences(Protocol):
    """A detector whose labels come with the licences of images."""

    def find_licence(self, image: InputImage) -> str | None:
        """The licence's name; None if the labels do not hold it."""
        ...


def clip_region(
    label: str, corners: Sequence[float], score: float, image: ImageSource, sure: bool = True
) -> Region | None:
    """The part of a box that lies in the image; None if that is empty, or a corner is not finite.

    ``corners``: x1, y1, x2, y2 in pixels of ``image``; ``score`` is clipped to 0..1.
    """
    x1, y1, x2, y2 = (float(value) for value in corners)
    if not all(math.isfinite(value) for value in (x1, y1, x2, y2)):
        return None
    x1, x2 = max(x1, 0.0), min(x2, float(image.width))
    y1, y2 = max(y1, 0.0), min(y2, float(image.height))
    if x1 >= x2 or y1 >= y2:
        return None
    box = Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL)
    return Region(label=label, box=box, score=min(max(float(score), 0.0), 1.0), sure=sure)


def check_doubt(share: float) -> float:
    """Check and return the share of a threshold from which on a region is a doubt; with 1 there are
    no doubts. Raises UserError."""
    if not 0 <= share <= 1:
        raise UserError(
            f"detector.doubt={share} is no share of a threshold: type detector.doubt=0.5, or "
            "another number from 0 to 1"
        )
    return share


def check_vocabulary(words: Sequence[str]) -> tuple[str, ...]:
    """The labels in lower case, with single blanks. Raises UserError for no label, for two equal
    ones, and for a full stop, which ends a label in the prompts of detectors."""
    labels = [" ".join(str(word).lower().split()) for word in words]
    wrong = ""
    if not labels:
        wrong = "is empty: it names what to look for"
    elif bad := [label for label in labels if not label or "." in label]:
        wrong = f"holds {bad[0]!r}: a label is not empty and has no full stop"
    elif twice := [label for label in labels if labels.count(label) > 1]:
        wrong = f"holds {twice[0]!r} twice"
    if wrong:
        raise UserError(
            f"detector.vocabulary {wrong}. Type detector.vocabulary=[person,dog,traffic light]."
        )
    return tuple(labels)
