"""Where the objects of a scene stand, how large they are and how they are turned.

Nothing here depends on ``spec.look``: the plain and the photo image of one (seed, index) show
the same objects at the same places.

What the objects are (``things.py``) is drawn once. Sizes, turns and places are drawn
anew in each attempt until every object lies inside the image, no two footprints meet, no
image rectangle covers more than ``MAX_OVERLAP`` of another, and enough of every object is seen
(``render.py`` checks that on the pixels).
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from groundrl.world.graph import SceneSpec, Subject
from groundrl.world.ray_tracer.camera import (
    COS,
    EYE,
    METRES,
    SIN,
    Camera,
    camera,
    depth_of,
    project_boxes,
)
from groundrl.world.ray_tracer.shapes import TURNED, YAW_RANGE, Bounds, bounds
from groundrl.world.things import Thing, generator

SCALE: Final[dict[str, float]] = {"small": 0.56, "large": 0.92}
MAX_OVERLAP: Final = 0.4
"""Of the smaller of two image rectangles."""

_NEAR, _FAR = 2.0, 3.8
_GAP: Final = 0.05
_CANDIDATES: Final = 24
_MARGIN: Final = 0.012


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedThing:
    """An object in its place, in scene units."""

    thing: Thing
    size: str
    scale: float
    yaw: float
    """Radians, about the vertical through ``origin``."""
    origin: tuple[float, float, float]
    """Where the shape's own origin lies."""
    bounds: Bounds
    """Of the shape before scaling."""
    support: int | None
    """Index of the object below among the placed ones."""

    @property
    def base(self) -> tuple[float, float, float]:
        """Centre of the base of the bounding cuboid."""
        x, y, z = self.origin
        dx, dz = self.bounds.center
        return x + self.scale * dx, y, z + self.scale * dz

    @property
    def half(self) -> tuple[float, float, float]:
        """Half width, whole height and half depth of the bounding cuboid."""
        x, y, z = self.bounds.half
        return self.scale * x, self.scale * y, self.scale * z

    @property
    def depth(self) -> float:
        """Depth of the base's centre along the viewing axis."""
        return depth_of(self.base[1], self.base[2])

    def metres(
        self, subject: Subject
    ) -> tuple[tuple[float, float, float], tuple[float, float, float], float]:
        """Position, extent (width, height, depth) and viewing depth in metres."""
        unit = METRES[subject]
        (x, y, z), (half_x, height, half_z) = self.base, self.half
        position = (x * unit, y * unit, z * unit)
        return position, (2 * half_x * unit, height * unit, 2 * half_z * unit), self.depth * unit


def _draw_form(
    thing: Thing, is_support: bool, small_share: float, rng: np.random.Generator
) -> tuple[str, float, float]:
    """Size, scale and yaw. What carries is large, what is carried is small."""
    small = thing.on is not None or (not is_support and rng.random() < small_share)
    size = "small" if small else "large"
    turn = math.radians(YAW_RANGE.get(thing.category, 0.0))
    yaw = float(rng.uniform(-turn, turn))
    if thing.category in TURNED and rng.random() < 0.5:
        yaw += math.pi
    return size, SCALE[size] * float(rng.uniform(0.96, 1.04)), yaw


def _free(
    view: Camera,
    rectangles: Float[np.ndarray, "M 4"],
    others: Float[np.ndarray, "K 4"],
) -> Bool[np.ndarray, " M"]:
    """Which rectangles lie inside the image and overlap no other one too much."""
    edge = _MARGIN * view.height
    x1, y1, x2, y2 = rectangles.T
    ok = (x1 >= edge) & (y1 >= edge) & (x2 <= view.width - edge) & (y2 <= view.height - edge)
    if len(others):
        low = np.maximum(rectangles[:, None, :2], others[None, :, :2])
        high = np.minimum(rectangles[:, None, 2:], others[None, :, 2:])
        overlap = np.maximum(high - low, 0).prod(axis=2)
        area = (x2 - x1) * (y2 - y1)
        other = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
        fits = overlap <= MAX_OVERLAP * np.minimum(area[:, None], other)
        ok &= np.logical_and.reduce(fits, axis=1)
    return ok


class _Plan:
    """The objects placed so far, as arrays."""

    def __init__(self, view: Camera) -> None:
        self.view = view
        self.placed: list[PlacedThing] = []
        self.rectangles = np.empty((0, 4))
        self.footprints = np.empty((0, 4))

    def _candidates(self, rng: np.random.Generator) -> Float[np.ndarray, "M 3"]:
        """Points on the ground, even in depth and across the image."""
        draws = rng.random((_CANDIDATES, 2))
        z = _NEAR + (_FAR - _NEAR) * draws[:, 1]
        reach = 0.92 * self.view.width / (2 * self.view.focal)
        x = (2 * draws[:, 0] - 1) * reach * (z * COS + EYE * SIN)
        return np.stack([x, np.zeros_like(x), z], axis=1)

    def add(self, thing: Thing, form: tuple[str, float, float], rng: np.random.Generator) -> bool:
        """Place one more object; False when no candidate fits."""
        size, scale, yaw = form
        box = bounds(thing.category, yaw)
        half = scale * np.array(box.half)
        rectangles = self.rectangles
        if thing.on is None:
            points = self._candidates(rng)
        else:
            below = self.placed[thing.on]
            x, y, z = below.base
            shift = rng.uniform(-0.08, 0.08, 2)
            points = np.array([(x + shift[0], y + below.half[1], z + shift[1])])
            rectangles = np.delete(rectangles, thing.on, axis=0)
        seen = project_boxes(self.view, points, np.broadcast_to(half, points.shape))
        ok = _free(self.view, seen, rectangles)
        feet = np.concatenate([points[:, ::2] - half[::2], points[:, ::2] + half[::2]], axis=1)
        if thing.on is None and len(self.footprints):
            apart = (feet[:, None, :2] > self.footprints[:, 2:] + _GAP) | (
                self.footprints[:, :2] > feet[:, None, 2:] + _GAP
            )
            ok &= np.logical_and.reduce(apart[..., 0] | apart[..., 1], axis=1)
        if not ok.any():
            return False
        best = int(ok.argmax())
        x, y, z = (float(value) for value in points[best])
        origin = (x - scale * box.center[0], y, z - scale * box.center[1])
        self.rectangles = np.concatenate([self.rectangles, seen[best : best + 1]])
        self.footprints = np.concatenate([self.footprints, feet[best : best + 1]])
        self.placed.append(
            PlacedThing(
                thing=thing,
                size=size,
                scale=scale,
                yaw=yaw,
                origin=origin,
                bounds=box,
                support=thing.on,
            )
        )
        return True


def _near_to_far(placed: list[PlacedThing]) -> tuple[PlacedThing, ...]:
    order = sorted(range(len(placed)), key=lambda i: placed[i].depth)
    rank = {old: new for new, old in enumerate(order)}
    ordered = (placed[i] for i in order)
    return tuple(
        item if item.support is None else replace(item, support=rank[item.support])
        for item in ordered
    )


def draw_layout(
    spec: SceneSpec, things: list[Thing], attempt: int
) -> tuple[PlacedThing, ...] | None:
    """The ``attempt``-th arrangement of the things, near to far; None when it does not fit."""
    rng = generator(spec, 1, attempt)
    plan = _Plan(camera(spec.width, spec.height))
    supports = {thing.on for thing in things}
    for i, thing in enumerate(things):
        # half are small; where there is no room for a large one, a small one may still fit
        fits = plan.add(thing, _draw_form(thing, i in supports, 0.5, rng), rng)
        if not fits and not plan.add(thing, _draw_form(thing, i in supports, 1.0, rng), rng):
            return None
    return _near_to_far(plan.placed)
