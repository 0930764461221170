"""The fixed pinhole camera of the embedded world, in scene units (see ``METRES``).

Scene units make both subjects share one geometry; records are written in metres. A ray is
``(0, EYE, 0) + t * (u, dy, dz)`` where t is the depth along the viewing axis: u depends on the
pixel column alone, dy and dz on the row alone, so most of an image is sums of a row and a column.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from groundrl.world.graph import Subject

METRES: Final[dict[Subject, float]] = {Subject.TABLETOP: 0.5, Subject.STREET: 4.5}
"""Metres per scene unit."""
EYE: Final = 1.6
"""Height of the camera above the ground, in units."""
PITCH: Final = math.radians(28)
"""How far the camera looks down."""
FOCAL: Final = 1.4
"""Focal length over image height: 39 degrees are seen vertically, whatever the width."""
WALL: Final = 4.7
"""Distance (z) of the vertical plane behind the scene, in units."""

COS, SIN = math.cos(PITCH), math.sin(PITCH)
_CORNERS: Final = np.array([(x, y, z) for x in (-1, 1) for y in (0, 1) for z in (-1, 1)], float)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """Rays of one image size."""

    width: int
    height: int
    u: Float32[np.ndarray, " W"]
    """x of each column's rays."""
    dy: Float32[np.ndarray, "H 1"]
    """y of each row's rays; always negative: every ray meets the ground."""
    dz: Float32[np.ndarray, "H 1"]
    background: Float32[np.ndarray, "H 1"]
    """Depth of ground or wall, the nearer of the two, in units."""
    horizon: int
    """First row that shows the ground; the rows above show the wall."""

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return FOCAL * self.height


@lru_cache(maxsize=16)
def camera(width: int, height: int) -> Camera:
    """The camera of images of this size."""
    focal = FOCAL * height
    u = (np.arange(width) + 0.5 - width / 2) / focal
    v = (height / 2 - np.arange(height) - 0.5)[:, None] / focal
    dy, dz = v * COS - SIN, v * SIN + COS
    ground, wall = -EYE / dy, WALL / dz
    return Camera(
        width=width,
        height=height,
        u=u.astype(np.float32),
        dy=dy.astype(np.float32),
        dz=dz.astype(np.float32),
        background=np.minimum(ground, wall).astype(np.float32),
        horizon=int(np.count_nonzero(wall < ground)),
    )


def depth_of(y: float, z: float) -> float:
    """Depth along the viewing axis of a point, ``z cos + (EYE - y) sin``, in units."""
    return z * COS + (EYE - y) * SIN


def project_boxes(
    view: Camera, base: Float[np.ndarray, "N 3"], half: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, "N 4"]:
    """Image rectangles (x1, y1, x2, y2), in pixels, around cuboids on ``base`` (centre of the
    lower face) with half sizes (x, whole height y, z), in units."""
    points = base[:, None] + half[:, None] * _CORNERS
    y, z = points[..., 1] - EYE, points[..., 2]
    inverse = view.focal / (z * COS - y * SIN)
    column = view.width / 2 + points[..., 0] * inverse
    row = view.height / 2 - (y * COS + z * SIN) * inverse
    return np.stack([column.min(1), row.min(1), column.max(1), row.max(1)], axis=1)
