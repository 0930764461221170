"""The parts that objects are made of: solids of revolution, blocks and rings.

Lengths are scene units; y = 0 is the bottom of the object, its front faces -z.
"""

from dataclasses import dataclass
from typing import Final

RGB = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paint:
    """How a part gets its colour."""

    fixed: RGB | None = None
    """A colour of its own; None for the object's colour."""
    tone: float = 1.0
    """Brightness relative to the colour."""
    cap_tone: float = 1.0
    """Brightness of the top face; low for something hollow."""


OWN: Final = Paint()


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Solid of revolution ``x^2 + z^2 <= a + b y + c y^2``, ``0 <= y <= height`` above its base."""

    base: tuple[float, float, float]
    height: float
    profile: tuple[float, float, float]
    radius: float
    """Greatest radius."""
    paint: Paint = OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Cuboid standing on the centre of its base; the top may be narrower or wider."""

    base: tuple[float, float, float]
    size: tuple[float, float, float]
    """Width, height, depth of the base."""
    top: tuple[float, float] = (1.0, 1.0)
    """Width and depth of the top over those of the base; (0, 1) is a gable roof."""
    paint: Paint = OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Upright flat ring, or disc when ``inner`` is 0."""

    center: tuple[float, float, float]
    outer: float
    inner: float = 0.0
    facing: int = -1
    """Sign of z that its face looks to; 0 is seen from both sides."""
    paint: Paint = OWN


Part = Round | Block | Ring


def frustum(
    low: float, high: float, height: float, *, y: float = 0.0, x: float = 0.0, paint: Paint = OWN
) -> Round:
    """Truncated cone of radius ``low`` at the bottom and ``high`` at the top."""
    slope = (high - low) / height
    profile = (low * low, 2 * low * slope, slope * slope)
    return Round(
        base=(x, y, 0.0), height=height, profile=profile, radius=max(low, high), paint=paint
    )


def ellipsoid(
    radius: float,
    height: float,
    *,
    y: float = 0.0,
    x: float = 0.0,
    cut: tuple[float, float] = (0.0, 1.0),
    paint: Paint = OWN,
) -> Round:
    """Ellipsoid ``height`` tall, of which the share ``cut`` (from, to) of the height is kept."""
    half, low = height / 2, cut[0] * height
    # (y + low - half)^2 / half^2 + (x^2 + z^2) / radius^2 = 1, y counted from the cut
    shift, ratio = low - half, (radius / half) ** 2
    profile = (radius**2 - ratio * shift**2, -2 * ratio * shift, -ratio)
    kept = (cut[1] - cut[0]) * height
    return Round(base=(x, y, 0.0), height=kept, profile=profile, radius=radius, paint=paint)
