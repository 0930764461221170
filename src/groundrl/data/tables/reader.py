"""From a row to a sample: its images are opened and its boxes converted to pixels."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from groundrl.boxes import Box, Frame, ImageSizes, convert
from groundrl.data.formats.base import RowContent, RowFormat, UnusableRowError
from groundrl.data.tables.images import ImageFolder
from groundrl.records import CAPTION, Grounding, ImageSource, Provenance, Sample, Segments

ROUNDING: Final = 1.0
"""How far a box may reach out of its image and still be clipped: one pixel, or one thousandth in
the PERMILLE frame."""


class OtherFrameError(ValueError):
    """A box that does not fit its image in the frame that was declared."""

    def __init__(self, message: str, fits: tuple[Frame, ...]) -> None:
        super().__init__(message)
        self.fits = fits
        """Frames in which it would fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """The size that images had for the model when boxes of the MODEL frame were written.

    Qwen2-VL's rule (arXiv 2409.12191): sides are multiples of ``factor``, the shape is kept, the
    number of pixels lies between the two bounds.
    """

    factor: int = 28
    min_pixels: int = 3136
    max_pixels: int = 12845056

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height for the model, pixels."""
        factor = self.factor
        sides = [max(factor, round(side / factor) * factor) for side in (width, height)]
        if sides[0] * sides[1] > self.max_pixels:
            shrink = math.sqrt(width * height / self.max_pixels)
            sides = [
                max(factor, math.floor(side / shrink / factor) * factor) for side in (width, height)
            ]
        elif sides[0] * sides[1] < self.min_pixels:
            grow = math.sqrt(self.min_pixels / (width * height))
            sides = [math.ceil(side * grow / factor) * factor for side in (width, height)]
        return sides[0], sides[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReader:
    """Makes the sample of a row. ``read`` raises ValueError that says what is wrong with it."""

    format: RowFormat
    images: ImageFolder
    dataset: str
    split: str
    frame: Frame | None = None
    """Of boxes whose frame the format leaves open."""
    resize: Resize = field(default_factory=Resize)
    """For boxes of the MODEL frame."""
    caption: bool = False
    """The answer is a text to be learned as it is, not an answer to be compared."""
    number_rows: bool = False
    """The id of a sample is the number of its row, not what the file says."""

    def read(self, row: Mapping[str, Any], number: int, *, whole: bool) -> Sample:
        """``number``: of the row, from 1. ``whole``: images are read to their last byte."""
        return self.to_sample(self.content(row), number, whole=whole)

    def content(self, row: Mapping[str, Any]) -> RowContent:
        """What the row states. Raises ValueError."""
        content = self.format.read(row, self.frame)
        if not content.images:
            raise UnusableRowError("the row has no image")
        return content

    def to_sample(self, content: RowContent, number: int, *, whole: bool) -> Sample:
        """The sample of a row's content. Raises ValueError."""
        first, *others = (self.images.open(value, whole=whole) for value in content.images)
        placed = _to_pixels(content, first, self.resize)
        id = str(number) if self.number_rows or not placed.id else placed.id
        kind = "question" if placed.answers else "locate"
        return Sample(
            id=id,
            image=first,
            context_images=tuple(others),
            question=placed.question,
            options=() if self.caption else placed.options,
            answers=() if self.caption else placed.answers,
            groundings=placed.groundings,
            rationale=placed.told if self.caption else placed.rationale,
            kind=CAPTION if self.caption else kind,
            provenance=Provenance(dataset=self.dataset, split=self.split),
        )


def _to_pixels(content: RowContent, image: ImageSource, resize: Resize) -> RowContent:
    """The content with boxes in pixels of the image. Raises OtherFrameError, UnusableRowError."""
    width, height = resize.size(image.width, image.height)
    sizes = ImageSizes(
        width=image.width, height=image.height, model_width=width, model_height=height
    )

    def place(part: str | Grounding) -> str | Grounding:
        return part if isinstance(part, str) else _place(part, sizes)

    rationale: Segments | None = content.rationale
    return replace(
        content,
        groundings=tuple(dict.fromkeys(_place(one, sizes) for one in content.groundings)),
        rationale=None if rationale is None else tuple(map(place, rationale)),
        told=tuple(map(place, content.told)),
    )


def _place(item: Grounding, sizes: ImageSizes) -> Grounding:
    box = item.box
    if not _fits(box, box.frame, sizes):
        fits = tuple(frame for frame in Frame if _fits(box, frame, sizes))
        numbers = ", ".join(f"{corner:g}" for corner in box.corners)
        instead = f"; it fits only {' or '.join(fits)}" if fits else "; it fits no frame"
        raise OtherFrameError(
            f"box [{numbers}] of {item.label!r:.40} is no box of frame {box.frame} in an image of "
            f"{sizes.width} x {sizes.height} pixels{instead}",
            fits,
        )
    width, height = sizes.width, sizes.height
    moved = convert(box, Frame.PIXEL, sizes)
    x1, x2 = (min(max(x, 0.0), float(width)) for x in (moved.x1, moved.x2))
    y1, y2 = (min(max(y, 0.0), float(height)) for y in (moved.y1, moved.y2))
    if x1 == x2 or y1 == y2:
        raise UnusableRowError(f"a box of {item.label!r:.40} has no area")
    return replace(item, box=Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL))


def _fits(box: Box, frame: Frame, sizes: ImageSizes) -> bool:
    """Whether these numbers can be a box in ``frame``: inside the image up to rounding, and not
    smaller than one pixel or thousandth, as shares are."""
    width, height = sizes.extent(frame)
    slack = ROUNDING / max(sizes.width, sizes.height) if frame is Frame.UNIT else ROUNDING
    inside = min(box.x1, box.y1) >= -slack and box.x2 <= width + slack and box.y2 <= height + slack
    return inside and (frame is Frame.UNIT or max(box.corners) > 1.0)
