"""Mirrored images, with the boxes where their objects then are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from groundrl.boxes import Box
from groundrl.data.detection.base import AnnotatedImage, DetectionSet
from groundrl.records import ChangedImage, Grounding

if TYPE_CHECKING:
    from PIL.Image import Image

Flip = Literal["horizontal", "vertical"]
"""Left and right change places, or top and bottom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlippedImage(ChangedImage):
    """An image that is mirrored when it is loaded."""

    flips: tuple[Flip, ...]

    @property
    def key(self) -> str:
        """The key of the image and how it is mirrored."""
        return f"{self.image.key} flipped {' '.join(self.flips)}"

    def load(self) -> "Image":
        """Decoded RGB pixels."""
        from PIL import ImageOps

        image = self.image.load()
        for flip in self.flips:
            image = ImageOps.mirror(image) if flip == "horizontal" else ImageOps.flip(image)
        return image


def add_flips(detections: DetectionSet, flips: Sequence[Flip]) -> DetectionSet:
    """Each image as it is and mirrored: one more per direction, and one for both of them."""
    ways: list[tuple[Flip, ...]] = [()]
    for flip in dict.fromkeys(flips):
        one: tuple[Flip, ...] = (flip,)
        ways += [way + one for way in ways]
    images = [flip_image(image, way) for image in detections.images for way in ways]
    return replace(detections, images=tuple(images))


def flip_image(image: AnnotatedImage, flips: tuple[Flip, ...]) -> AnnotatedImage:
    """The image mirrored in these directions, under an id of its own; as it is for none."""
    if not flips:
        return image
    width, height = image.image.width, image.image.height
    return replace(
        image,
        id=f"{image.id}:{'+'.join(flips)}",
        image=FlippedImage(image=image.image, flips=flips),
        groundings=tuple(
            Grounding(label=item.label, box=flip_box(item.box, flips, width, height))
            for item in image.groundings
        ),
    )


def flip_box(box: Box, flips: tuple[Flip, ...], width: int, height: int) -> Box:
    """The PIXEL box of the same object in the mirrored image of this size."""
    if "horizontal" in flips:
        box = replace(box, x1=width - box.x2, x2=width - box.x1)
    if "vertical" in flips:
        box = replace(box, y1=height - box.y2, y2=height - box.y1)
    return box
