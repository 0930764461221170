"""The colour of what a box shows, by its pixels."""

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
"""Degrees between which a hue is beyond doubt; between two ranges it may be called either."""
BETWEEN: Final = 6
"""Degrees by which a hue may miss a range and still be called so, where no other is nearer."""
CORE: Final = 0.8
"""Share of the box's width and height, around its middle, that is looked at."""
VIVID: Final = 0.3
"""Saturation from which a pixel has a hue, and twice the value."""
SHARE: Final = 0.2
"""Of the pixels, from which a thing may be called by their colour: others may stand before it."""


def visible_colors(image: Image.Image, box: Box) -> tuple[str, ...]:
    """What the middle of the box may be called (``name_colors``)."""
    width, height = (1 - CORE) * (box.x2 - box.x1) / 2, (1 - CORE) * (box.y2 - box.y1) / 2
    left, top = round(box.x1 + width), round(box.y1 + height)
    right, bottom = round(box.x2 - width), round(box.y2 - height)
    core = (left, top, max(right, left + 1), max(bottom, top + 1))
    return name_colors(np.asarray(image.crop(core).convert("HSV")))


def name_colors(hsv: UInt8[np.ndarray, "H W 3"]) -> tuple[str, ...]:
    """Names for pixels in PIL's HSV, each borne out by ``SHARE`` of them, the likeliest first."""
    hue, saturation, value = hsv.reshape(-1, 3).T.astype(np.float32) / 255
    vivid = (saturation >= VIVID) & (value >= VIVID / 2)
    shares = {
        "black": float((~vivid & (value < 0.35)).mean()),
        "gray": float((~vivid & (value >= 0.2) & (value < 0.85)).mean()),
        "white": float((~vivid & (value >= 0.75)).mean()),
    }
    degrees = hue[vivid] * 360
    apart = np.array([_apart(degrees, low, high) for low, high in HUES.values()])
    called = apart <= apart.min(axis=0, initial=360) + BETWEEN
    shares |= dict(zip(HUES, called.sum(axis=1) / len(hue), strict=True))
    order = sorted(shares, key=lambda name: -shares[name])
    return tuple(name for name in order if shares[name] >= SHARE or name == order[0])


def _apart(degrees: Float32[np.ndarray, " N"], low: float, high: float) -> np.ndarray:
    """Degrees from each hue to the range; 0 inside it."""
    middle, half = (low + high) / 2, (high - low) / 2
    around = np.abs((degrees - middle + 180) % 360 - 180)
    return np.maximum(around - half, 0)
