"""Parts of prompts: images of views, and untrusted texts and regions as JSON."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from groundrl.chat.base import ImageAttachment
from groundrl.detectors.records import Region
from groundrl.synthesis.roles import ImageView

if TYPE_CHECKING:
    from PIL.Image import Image

MIN_SIDE: Final = 336
"""Pixels of a crop's longer side; smaller crops are enlarged."""
MAX_OBJECTS: Final = 40
"""Regions in a prompt: those with the highest scores."""
_MARKUP = re.compile(r"</?\w[^>]*>|[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def make_attachments(views: Sequence[ImageView], max_side: int) -> list[ImageAttachment]:
    """The image or crop of each view, its longer side at most ``max_side`` pixels.

    Attachments are cached in the views; an image is decoded at most once per call.
    """
    loaded: dict[str, Image] = {}
    attachments: list[ImageAttachment] = []
    for view in views:
        key = (None if view.crop is None else view.crop.box, max_side)
        if key not in view.attachments:
            digest = view.image.digest
            if digest not in loaded:
                loaded[digest] = view.image.source.load()
            view.attachments[key] = ImageAttachment(_cut_out(loaded[digest], view, max_side))
        attachments.append(view.attachments[key])
    return attachments


def _cut_out(image: "Image", view: ImageView, max_side: int) -> "Image":
    if view.crop is None:
        return _resize(image, 1, max_side)
    x1, y1, x2, y2 = view.crop.box.corners
    box = (math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2))
    return _resize(image.crop(box), MIN_SIDE, max_side)


def _resize(image: "Image", min_side: int, max_side: int) -> "Image":
    side = max(image.size)
    scale = min(max_side, max(side, min_side)) / side
    if scale == 1:
        return image
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height))


def write_json_line(**texts: object) -> str:
    """One line of JSON: a text in it cannot be mistaken for a part of the prompt around it."""
    return json.dumps(texts, ensure_ascii=False)


def list_regions(regions: Iterable[Region]) -> list[dict[str, object]]:
    """Labels and rounded boxes ``[x1, y1, x2, y2]`` in pixels, the highest score first."""
    best = sorted(regions, key=lambda region: -region.score)[:MAX_OBJECTS]
    return [
        {"label": region.label, "box": [round(value) for value in region.box.corners]}
        for region in best
    ]


def clean_text(value: object, longest: int) -> str | None:
    """A text on one line.

    None where the value is no text, is empty, has more than ``longest`` characters, or contains
    markup, control characters or lone surrogates.
    """
    if not isinstance(value, str) or _MARKUP.search(value):
        return None
    text = " ".join(value.split())
    return text if 0 < len(text) <= longest else None
