"""The colour of the object in a box, by its pixels."""

import math
from typing import Final

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from groundrl.boxes import Box

HUES: Final = {
    "red": (0.0, 0.0),
    "orange": (22.0, 38.0),
    "yellow": (48.0, 62.0),
    "green": (80.0, 160.0),
    "cyan": (172.0, 195.0),
    "blue": (205.0, 250.0),
    "purple": (262.0, 300.0),
    "pink": (315.0, 345.0),
}
"""Degrees between which a hue has this name only; between two ranges both names are accepted."""
BETWEEN: Final = 6
"""Degrees by which a hue outside every range may be further from a range than from the nearest
one, and still have its name."""
CORE: Final = 0.8
"""Share of the box's width and height, around its middle, whose pixels count."""
VIVID: Final = 0.3
"""Least saturation of a pixel that has a hue; its least value is half of that."""
SHARE: Final = 0.2
"""Least share of the pixels for a colour to be a name of the object: other objects may hide part of
it."""
MOST_PIXELS: Final = 65_536
"""Of a larger box every second (third, ...) pixel of each row and column counts."""
VISIBLE: Final = frozenset({*HUES, "black", "gray", "white"})
"""The names that pixels can have; brown is left out, it is a dark orange or red."""


def visible_colors(image: Image.Image, box: Box) -> tuple[str, ...]:
    """Names for the colour of the middle of the box (PIXEL frame), the likeliest first
    (``name_colors``). What lies outside the image is cut off; no names where nothing is left."""
    x1, x2 = max(box.x1, 0.0), min(box.x2, float(image.width))
    y1, y2 = max(box.y1, 0.0), min(box.y2, float(image.height))
    if x1 > x2 or y1 > y2:
        return ()
    width, height = (1 - CORE) * (x2 - x1) / 2, (1 - CORE) * (y2 - y1) / 2
    left, top = min(round(x1 + width), image.width - 1), min(round(y1 + height), image.height - 1)
    right, bottom = max(round(x2 - width), left + 1), max(round(y2 - height), top + 1)
    step = math.isqrt(math.ceil((right - left) * (bottom - top) / MOST_PIXELS) - 1) + 1
    pixels = np.asarray(image.crop((left, top, right, bottom)))[::step, ::step]
    return name_colors(np.asarray(Image.fromarray(pixels).convert("HSV")))


def name_colors(hsv: UInt8[np.ndarray, "H W 3"]) -> tuple[str, ...]:
    """Names for the colour of pixels in PIL's HSV, each of at least ``SHARE`` of them (or the only
    name), the likeliest first."""
    hue, saturation, value = hsv.reshape(-1, 3).T.astype(np.float32) / 255
    vivid = (saturation >= VIVID) & (value >= VIVID / 2)
    shares = {
        "black": float((~vivid & (value < 0.35)).mean()),
        "gray": float((~vivid & (value >= 0.2) & (value < 0.85)).mean()),
        "white": float((~vivid & (value >= 0.75)).mean()),
    }
    degrees = hue[vivid] * 360
    outside = np.array([_degrees_outside(degrees, low, high) for low, high in HUES.values()])
    matches = outside <= outside.min(axis=0, initial=360) + BETWEEN
    shares |= dict(zip(HUES, matches.sum(axis=1) / len(hue), strict=True))
    order = sorted(shares, key=lambda name: -shares[name])
    return tuple(name for name in order if shares[name] >= SHARE or name == order[0])


def _degrees_outside(degrees: Float32[np.ndarray, " N"], low: float, high: float) -> np.ndarray:
    """Degrees from each hue to the range; 0 inside it."""
    middle, half = (low + high) / 2, (high - low) / 2
    around = np.abs((degrees - middle + 180) % 360 - 180)
    return np.maximum(around - half, 0)
