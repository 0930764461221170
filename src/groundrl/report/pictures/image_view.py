"""An image under its boxes, as the templates show it: positions in per cent, inline JPEGs."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup
from PIL import Image

from groundrl.boxes import Box
from groundrl.records import Grounding

MAX_BOXES = 40
"""Of one image; a page stays small whatever a model writes."""
JPEG_QUALITY = 80

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxView:
    """A box over an image."""

    kind: str
    """CSS class."""
    key: str
    """Phrases with the same key are highlighted together with the box."""
    name: str
    mark: str
    """What stands in its corner: a number, or nothing."""
    place: str
    """CSS: left, top, width and height in per cent of the image. What leaves the image is cut at
    its edge."""
    area: float
    """In the same units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """An image and its boxes."""

    source: Markup | None
    """``data:`` address; None where the file is missing."""
    size: Size
    boxes: tuple[BoxView, ...]
    """Largest first: small ones lie on top, so that the pointer reaches them."""


def view_box(box: Box, size: Size, *, kind: str, key: str, name: str, mark: str) -> BoxView:
    """``box`` over an image of ``size``, both in pixels."""
    width, height = size
    x1, x2 = (100 * min(max(x / width, 0), 1) for x in (box.x1, box.x2))
    y1, y2 = (100 * min(max(y / height, 0), 1) for y in (box.y1, box.y2))
    place = f"left:{x1:.2f}%;top:{y1:.2f}%;width:{x2 - x1:.2f}%;height:{y2 - y1:.2f}%"
    area = (x2 - x1) * (y2 - y1)
    return BoxView(kind=kind, key=key, name=name, mark=mark, place=place, area=area)


def view_true_box(index: int, grounding: Grounding, size: Size, mark: str = "") -> BoxView:
    """The true box of this number, counted from 0, in green."""
    name, key = f"true box: {grounding.label}", f"true{index}"
    return view_box(grounding.box, size, kind="green", key=key, name=name, mark=mark)


def view_predicted_box(index: int, grounding: Grounding, size: Size, mark: str = "") -> BoxView:
    """The predicted box of this number, counted from 0, in magenta; marked with its number, from 1,
    where ``mark`` is empty."""
    name, key = f"predicted box: {grounding.label}", f"predicted{index}"
    mark = mark or str(index + 1)
    return view_box(grounding.box, size, kind="magenta", key=key, name=name, mark=mark)


def view_image(source: Markup | None, size: Size, boxes: Iterable[BoxView]) -> ImageView:
    """The image with its boxes in drawing order."""
    ordered = sorted(boxes, reverse=True, key=lambda box: box.area)
    return ImageView(source=source, size=size, boxes=tuple(ordered))


def inline_jpeg(image: Image.Image, side: int) -> Markup:
    """A ``data:`` address, the longer side at most ``side`` pixels."""
    small = image.convert("RGB")
    # As sharp as the default (bicubic) when it shrinks, at half the cost.
    small.thumbnail((side, side), Image.Resampling.HAMMING)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return Markup(f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}")
