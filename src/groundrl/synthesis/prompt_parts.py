"""What a language model is shown of a view, and how texts that may hold anything are told to it."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from groundrl.chat.base import ImageAttachment
from groundrl.detectors.records import Region
from groundrl.synthesis.roles import View

if TYPE_CHECKING:
    from PIL.Image import Image

MIN_SIDE: Final = 336
"""Pixels of a crop's longer side; smaller ones are enlarged."""
MAX_OBJECTS: Final = 40
"""Regions that are told; the surest."""
_MARKUP = re.compile(r"</?\w[^>]*>|[\x00-\x08\x0b-\x1f\x7f]")


def attach_images(views: Sequence[View], max_side: int) -> list[ImageAttachment]:
    """The image or the crop of each, the longer side at most ``max_side`` pixels; every image
    is decoded once, and not at all where all of them were shown before."""
    loaded: dict[str, Image] = {}
    attached: list[ImageAttachment] = []
    for view in views:
        key = (None if view.crop is None else view.crop.box, max_side)
        if key not in view.shown:
            digest = view.image.digest
            if digest not in loaded:
                loaded[digest] = view.image.source.load()
            view.shown[key] = ImageAttachment(_seen(loaded[digest], view, max_side))
        attached.append(view.shown[key])
    return attached


def _seen(image: "Image", view: View, max_side: int) -> "Image":
    if view.crop is None:
        return _sized(image, 1, max_side)
    x1, y1, x2, y2 = view.crop.box.corners
    box = (math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2))
    return _sized(image.crop(box), MIN_SIDE, max_side)


def _sized(image: "Image", least: int, most: int) -> "Image":
    side = max(image.size)
    scale = min(most, max(side, least)) / side
    if scale == 1:
        return image
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height))


def json_line(**texts: object) -> str:
    """One line of JSON, so that no text can look like a part of the prompt around it."""
    return json.dumps(texts, ensure_ascii=False)


def list_regions(regions: Iterable[Region]) -> list[dict[str, object]]:
    """Labels and rounded boxes ``[x1, y1, x2, y2]`` in pixels, the surest first."""
    surest = sorted(regions, key=lambda region: -region.score)[:MAX_OBJECTS]
    return [
        {"label": region.label, "box": [round(value) for value in region.box.corners]}
        for region in surest
    ]


def plain_text(value: object, longest: int) -> str | None:
    """A text on one line; None for what is none: empty, longer, with markup or control signs."""
    if not isinstance(value, str) or _MARKUP.search(value):
        return None
    text = " ".join(value.split())
    return text if 0 < len(text) <= longest else None
