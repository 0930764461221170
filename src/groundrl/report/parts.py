"""What galleries are made of: boxes on images, phrases that point, filters, inline JPEGs."""

import base64
import html
import io
from collections.abc import Mapping, Sequence

from PIL import Image

from groundrl.boxes import Box

MOST_CHARACTERS, MOST_BOXES = 4000, 40
"""Of one text and one image; the rest is counted. A page stays small whatever a model says."""
JPEG_QUALITY = 80
MOST_BUTTONS = 7
"""More values to choose from become a list."""
SEVERAL = "\n"
"""Between the values that one card or entry has for one filter."""
HINT = "Point at a phrase or a box, or reach it with the Tab key: the two light up together."

Size = tuple[int, int]


def filters(choices: Mapping[str, Sequence[str]], pressed: Mapping[str, str] | None = None) -> str:
    """One row: per name the values to choose from, and a field for words. Nothing is offered
    where there is nothing to choose."""
    inside = "".join(
        _filter(key, values, (pressed or {}).get(key, "")) for key, values in choices.items()
    )
    return (
        f'<div class="filters">{inside}<div><input type="search" aria-label="words" '
        'placeholder="words in a card"></div></div>'
    )


def _filter(key: str, values: Sequence[str], pressed: str) -> str:
    """Buttons, or a list of many values."""
    if len(values) < 2:
        return ""
    named = [(html.escape(value), html.escape(value or "all")) for value in ["", *values]]
    if len(values) > MOST_BUTTONS:
        options = "".join(f'<option value="{value}">{name}</option>' for value, name in named)
        return (
            f'<div><label><span class="soft">{key}</span> '
            f'<select data-key="{key}">{options}</select></label></div>'
        )
    buttons = "".join(
        f'<button data-key="{key}" data-value="{value}" '
        f'aria-pressed="{str(value == html.escape(pressed)).lower()}">{name}</button>'
        for value, name in named
    )
    return f'<div><span class="soft">{key}</span>{buttons}</div>'


def facets(values: Mapping[str, str | Sequence[str]]) -> str:
    """The attributes that filters look at."""
    return " ".join(
        f'data-{key}="{html.escape(value if isinstance(value, str) else SEVERAL.join(value))}"'
        for key, value in values.items()
    )


def image_frame(inside: str, boxes: Sequence[tuple[float, str]], size: Size) -> str:
    """An image, or what stands for it, under its boxes (``box_layer``)."""
    # Small boxes last: they lie on top and can be pointed at.
    layers = "".join(layer for _, layer in sorted(boxes, reverse=True, key=lambda one: one[0]))
    ratio = f'style="aspect-ratio:{size[0]}/{size[1]}"'
    return f'<div class="image" {ratio}>{inside}{layers}</div>'


def box_layer(
    kind: str, key: str, name: str, box: Box, size: Size, number: int | None
) -> tuple[float, str]:
    """Its area and its element; what leaves the image is cut at the edge. Phrases with the same
    ``key`` light up together with it."""
    width, height = size
    x1, x2 = (100 * min(max(x / width, 0), 1) for x in (box.x1, box.x2))
    y1, y2 = (100 * min(max(y / height, 0), 1) for y in (box.y1, box.y2))
    shown = f"<b>{number}</b>" if number is not None else ""
    place = f"left:{x1:.2f}%;top:{y1:.2f}%;width:{x2 - x1:.2f}%;height:{y2 - y1:.2f}%"
    return (x2 - x1) * (y2 - y1), (
        f'<span class="box {kind}" tabindex="0" role="img" data-box="{key}" '
        f'aria-label="{html.escape(name)}" title="{html.escape(name)}" style="{place}">'
        f"{shown}</span>"
    )


def cut(text: str) -> str:
    """At most ``MOST_CHARACTERS`` of it."""
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"


def inline_jpeg(image: Image.Image, side: int) -> str:
    """A ``data:`` address, the longer side at most ``side`` pixels."""
    small = image.convert("RGB")
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
