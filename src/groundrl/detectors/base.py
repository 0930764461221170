"""What detectors offer, and what they have in common: regions inside the image, vocabularies."""

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from groundrl.boxes import Box, Frame
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError
from groundrl.records import ImageSource


@runtime_checkable
class Batched(Protocol):
    """A detector, teacher or verifier that is fastest with several inputs in one call."""

    @property
    def batch_size(self) -> int: ...


class UnlabelledImageError(Exception):
    """Nobody has looked at an image: that it has no boxes does not say it shows nothing."""


@runtime_checkable
class Detector(Protocol):
    """Finds objects."""

    @property
    def name(self) -> str: ...
    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Every label that it looks for, so that an image without such a region shows no such
        thing; empty where nobody can tell."""
        ...

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        """The regions of each image, doubts among them. Raises Unlabelled for one that labels
        say nothing of."""
        ...


@runtime_checkable
class DependsOnName(Protocol):
    """A detector whose answers depend on more than pixels."""

    def known_as(self, image: InputImage) -> str:
        """What they depend on; equal pixels under another name may have other regions."""
        ...


@runtime_checkable
class KnowsLicences(Protocol):
    """A detector whose labels came with the licences of images."""

    def licence_of(self, image: InputImage) -> str | None:
        """None where they do not say it."""
        ...


def clipped_region(
    label: str, corners: Sequence[float], score: float, image: ImageSource, sure: bool = True
) -> Region | None:
    """The part of a box that lies in the image; None where nothing does.

    ``corners``: x1, y1, x2, y2 in pixels of ``image``, in any order a model writes them.
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
    """The share of a threshold from which a region is a doubt; 1: there are none. Raises
    UserError."""
    if not 0 <= share <= 1:
        raise UserError(
            f"detector.doubt={share} is no share of a threshold: type detector.doubt=0.5, or "
            "another number from 0 to 1"
        )
    return share


def check_vocabulary(words: Sequence[str]) -> tuple[str, ...]:
    """The labels in lower case, without blanks at their ends. Raises UserError for none, for two
    alike, and for a full stop, which ends a label in the prompts of detectors."""
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
