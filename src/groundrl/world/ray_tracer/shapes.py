"""What the classes look like: each is a handful of round, flat-faced and ring-shaped parts.

Lengths are scene units for size "large"; the base's centre is the origin, the front faces -z.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from groundrl.world.ray_tracer.primitives import (
    RGB,
    Block,
    Paint,
    Part,
    Ring,
    Round,
    ellipsoid,
    frustum,
)

DARK: Final[RGB] = (38, 40, 46)
GLASS: Final[RGB] = (58, 72, 88)
STEEL: Final[RGB] = (112, 114, 120)
BARK: Final[RGB] = (98, 66, 40)
WHITE: Final[RGB] = (238, 238, 234)
IVORY: Final[RGB] = (236, 228, 204)
FLAME: Final[RGB] = (255, 226, 140)


def _wheels(along: float, side: float, radius: float) -> tuple[Ring, ...]:
    """Four wheels with bright hubs."""
    return tuple(
        Ring(
            center=(x, radius, z * (side + 0.004)),
            outer=radius,
            inner=radius * 0.35,
            facing=z,
            paint=Paint(fixed=DARK),
        )
        for x in (-along, along)
        for z in (-1, 1)
    )


_HOLLOW = Paint(cap_tone=0.65)
_PALE = Paint(fixed=IVORY)

SHAPES: Final[dict[str, tuple[Part, ...]]] = {
    "ball": (ellipsoid(0.30, 0.60),),
    "book": (
        Block(base=(0.0, 0.0, 0.0), size=(0.74, 0.045, 0.54)),
        Block(base=(0.02, 0.045, 0.0), size=(0.68, 0.11, 0.49), paint=_PALE),
        Block(base=(-0.35, 0.045, 0.0), size=(0.04, 0.11, 0.54)),
        Block(base=(0.0, 0.155, 0.0), size=(0.74, 0.045, 0.54)),
    ),
    "bottle": (
        frustum(0.16, 0.16, 0.42),
        frustum(0.16, 0.06, 0.16, y=0.42),
        frustum(0.06, 0.06, 0.16, y=0.58),
        frustum(0.075, 0.075, 0.06, y=0.74, paint=Paint(fixed=DARK)),
    ),
    "bowl": (
        frustum(0.14, 0.14, 0.05, paint=Paint(tone=0.7)),
        ellipsoid(0.38, 0.56, y=0.03, cut=(0.03, 0.5), paint=Paint(cap_tone=0.75)),
    ),
    "box": (
        Block(base=(0.0, 0.0, 0.0), size=(0.54, 0.40, 0.54), paint=Paint(tone=0.85)),
        Block(base=(0.0, 0.38, 0.0), size=(0.60, 0.13, 0.60)),
    ),
    "candle": (
        frustum(0.25, 0.27, 0.06, paint=Paint(tone=0.85)),
        frustum(0.11, 0.11, 0.46, y=0.05),
        ellipsoid(0.055, 0.20, y=0.51, paint=Paint(fixed=FLAME, tone=1.25)),
    ),
    "cup": (
        frustum(0.19, 0.24, 0.42, paint=_HOLLOW),
        Ring(center=(0.27, 0.23, 0.0), outer=0.155, inner=0.09, facing=0, paint=Paint(tone=0.85)),
    ),
    "lamp": (
        frustum(0.21, 0.17, 0.06),
        frustum(0.03, 0.03, 0.40, y=0.06, paint=Paint(fixed=DARK)),
        frustum(0.33, 0.17, 0.32, y=0.40, paint=Paint(cap_tone=1.25)),
    ),
    "bin": (
        Block(base=(0.0, 0.0, 0.0), size=(0.34, 0.50, 0.34), top=(1.3, 1.3)),
        Block(base=(0.0, 0.50, 0.0), size=(0.50, 0.08, 0.50), paint=Paint(tone=0.8)),
    ),
    "bus": (
        Block(base=(0.0, 0.07, 0.0), size=(0.98, 0.44, 0.34)),
        Block(base=(0.0, 0.29, 0.0), size=(0.99, 0.13, 0.35), paint=Paint(fixed=GLASS)),
        *(
            Block(base=(x, 0.28, 0.0), size=(0.04, 0.15, 0.356))
            for x in (-0.47, -0.235, 0.0, 0.235, 0.47)
        ),
        *_wheels(0.30, 0.17, 0.085),
    ),
    "car": (
        Block(base=(0.0, 0.07, 0.0), size=(0.84, 0.17, 0.38)),
        Block(
            base=(-0.03, 0.24, 0.0),
            size=(0.54, 0.15, 0.36),
            top=(0.66, 0.86),
            paint=Paint(fixed=GLASS),
        ),
        Block(base=(-0.03, 0.38, 0.0), size=(0.38, 0.035, 0.33)),
        *_wheels(0.25, 0.19, 0.10),
    ),
    "cone": (
        Block(base=(0.0, 0.0, 0.0), size=(0.46, 0.06, 0.46), paint=Paint(tone=0.75)),
        frustum(0.19, 0.03, 0.58, y=0.06),
        frustum(0.136, 0.096, 0.14, y=0.27, paint=Paint(fixed=WHITE)),
    ),
    "house": (
        Block(base=(0.0, 0.0, 0.0), size=(0.60, 0.36, 0.50)),
        Block(
            base=(0.0, 0.36, 0.0), size=(0.74, 0.34, 0.58), top=(0.0, 1.0), paint=Paint(tone=0.7)
        ),
        Block(base=(0.0, 0.0, 0.0), size=(0.14, 0.24, 0.51), paint=Paint(fixed=BARK)),
    ),
    "hydrant": (
        frustum(0.21, 0.21, 0.07, paint=Paint(tone=0.85)),
        frustum(0.14, 0.13, 0.36, y=0.07),
        Block(base=(0.0, 0.25, 0.0), size=(0.48, 0.12, 0.13), paint=Paint(tone=0.9)),
        frustum(0.18, 0.18, 0.05, y=0.42, paint=Paint(tone=0.85)),
        ellipsoid(0.145, 0.28, y=0.47, cut=(0.5, 1.0)),
        frustum(0.045, 0.045, 0.06, y=0.60),
    ),
    "sign": (
        frustum(0.028, 0.028, 0.50, paint=Paint(fixed=STEEL)),
        Ring(center=(0.0, 0.62, -0.03), outer=0.28, facing=0),
        Block(base=(0.0, 0.585, -0.04), size=(0.30, 0.07, 0.01), paint=Paint(fixed=WHITE)),
    ),
    "tree": (
        frustum(0.075, 0.055, 0.40, paint=Paint(fixed=BARK)),
        ellipsoid(0.20, 0.36, y=0.28, x=-0.15),
        ellipsoid(0.20, 0.36, y=0.28, x=0.15),
        ellipsoid(0.25, 0.48, y=0.38),
    ),
}

YAW_RANGE: Final[dict[str, float]] = {
    "book": 40,
    "box": 45,
    "bin": 45,
    "bus": 22,
    "car": 25,
    "cone": 45,
    "cup": 35,
    "house": 30,
    "hydrant": 35,
    "sign": 18,
}
"""Greatest turn to either side, in degrees; the classes left out look the same all around."""

TURNED: Final = frozenset({"car", "cup"})
"""Classes that may also stand the other way round: bonnet or handle to the left."""

SUPPORTS: Final = frozenset({"bin", "book", "box"})
"""Classes with a flat top that others can stand on."""
RIDERS: Final = frozenset({"ball", "bottle", "bowl", "candle", "cone", "cup"})
"""Classes that may stand on a support when small."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """Cuboids around the parts of a class turned by some yaw, and around the whole."""

    centers: Float[np.ndarray, "P 3"]
    """Centres of the lower faces."""
    halves: Float[np.ndarray, "P 3"]
    """Half width, whole height, half depth."""
    center: tuple[float, float]
    """(x, z) of the whole's centre."""
    half: tuple[float, float, float]
    """Half width, whole height, half depth of the whole."""


def _part_bounds(part: Part) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    match part:
        case Round():
            return part.base, (part.radius, part.height, part.radius)
        case Block():
            w, h, d = part.size
            return part.base, (w / 2 * max(1, part.top[0]), h, d / 2 * max(1, part.top[1]))
        case Ring():
            x, y, z = part.center
            return (x, y - part.outer, z), (part.outer, 2 * part.outer, 0.0)


_LOCAL: Final = {
    name: (
        np.array([_part_bounds(part)[0] for part in parts], float),
        np.array([_part_bounds(part)[1] for part in parts], float),
        np.array([not isinstance(part, Round) for part in parts]),
    )
    for name, parts in SHAPES.items()
}


def bounds(category: str, yaw: float) -> Bounds:
    """Cuboids around a class turned by ``yaw`` radians about its base, in units."""
    base, local, turns = _LOCAL[category]
    c, s = math.cos(yaw), math.sin(yaw)
    x, z = base[:, 0], base[:, 2]
    centers = base.copy()
    centers[:, 0], centers[:, 2] = c * x + s * z, c * z - s * x
    halves = local.copy()
    halves[:, 0] = np.where(turns, abs(c) * local[:, 0] + abs(s) * local[:, 2], local[:, 0])
    halves[:, 2] = np.where(turns, abs(s) * local[:, 0] + abs(c) * local[:, 2], local[:, 2])
    low, high = (centers - halves).min(0), (centers + halves).max(0)
    return Bounds(
        centers=centers,
        halves=halves,
        center=(float(low[0] + high[0]) / 2, float(low[2] + high[2]) / 2),
        half=(float(high[0] - low[0]) / 2, float(high[1]), float(high[2] - low[2]) / 2),
    )
