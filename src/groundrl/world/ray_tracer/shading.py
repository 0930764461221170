"""Light and shadow: colours of the background and of the pixels that show objects."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float32, Int16

from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.layout import PlacedThing
from groundrl.world.ray_tracer.camera import COS, SIN, Camera
from groundrl.world.ray_tracer.photo import texture_background
from groundrl.world.ray_tracer.primitives import Paint
from groundrl.world.ray_tracer.textures import SIDE, TEXELS, grain
from groundrl.world.ray_tracer.trace import PlacedRound, Solid
from groundrl.world.vocabulary import COLORS

_PLAIN_GROUND: Final = {Subject.TABLETOP: (214, 210, 204), Subject.STREET: (186, 188, 192)}
_PLAIN_WALL: Final = {Subject.TABLETOP: (232, 231, 229), Subject.STREET: (212, 224, 236)}
_TO_EYE: Final = np.array([0.0, SIN, -COS])
"""Direction from the scene's middle to the eye; highlights need no more exactness."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Light:
    """One distant lamp and light from everywhere."""

    direction: tuple[float, float, float]
    """Unit vector towards the lamp."""
    color: Float32[np.ndarray, " 3"]
    ambient: float
    casts: bool
    """Whether objects throw long shadows, not only contact shadows."""


def draw_light(rng: np.random.Generator, *, photo: bool) -> Light:
    """A fixed lamp for the plain look, a random one for the photo look."""
    turn, rise = (rng.uniform(-1.0, 1.0), rng.uniform(0.55, 0.95)) if photo else (-0.5, 0.8)
    warm = rng.uniform(-0.07, 0.07) if photo else 0.0
    level = rng.uniform(0.88, 1.06) if photo else 1.0
    flat = math.cos(rise)
    return Light(
        direction=(flat * math.sin(turn), math.sin(rise), -flat * math.cos(turn)),
        color=np.array([1 + warm, 1.0, 1 - warm], np.float32) * np.float32(level),
        ambient=rng.uniform(0.5, 0.64) if photo else 0.62,
        casts=photo,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """A part of a placed object, as far as its colour goes."""

    solid: Solid | None
    paint: Paint
    item: PlacedThing

    @property
    def rgb(self) -> np.ndarray:
        """Colour before light."""
        color = self.paint.fixed or COLORS[self.item.thing.color]
        return np.array(color, np.float32) * np.float32(self.paint.tone)

    @property
    def material(self) -> str:
        """The object's material; parts with a colour of their own are dull."""
        return "rubber" if self.paint.fixed else self.item.thing.material


def _shadow(
    shade: Float32[np.ndarray, "H W"],
    view: Camera,
    start: tuple[float, float],
    end: tuple[float, float],
    radius: float,
    strength: float,
) -> None:
    """Darken the ground within ``radius`` of a segment (x, z), softly, in place."""
    soft = 1.5 * radius
    low_z, high_z = min(start[1], end[1]) - soft, max(start[1], end[1]) + soft
    z = _ground_z(view)
    rows = slice(*np.searchsorted(-z, (-high_z, -low_z)).tolist())
    depth = view.background[view.horizon :][rows]
    if not len(depth):
        return
    far, near = float(depth[0, 0]), float(depth[-1, 0])
    low_x, high_x = min(start[0], end[0]) - soft, max(start[0], end[0]) + soft
    low_u, high_u = min(low_x / far, low_x / near), max(high_x / far, high_x / near)
    columns = slice(*np.searchsorted(view.u, (low_u, high_u)).tolist())
    x = view.u[columns] * depth - start[0]
    z = z[rows, None] - start[1]
    dx, dz = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dz * dz
    if length > 1e-6:
        along = np.clip((x * dx + z * dz) * (1 / length), 0, 1)
        x -= along * dx
        z = z - along * dz
    distance = (x * x + z * z) * (1.3 / soft**2)
    cover = np.clip(1.3 - distance, 0, 1)
    shade[view.horizon :][rows, columns] *= 1 - strength * cover


@lru_cache(maxsize=16)
def _ground_z(view: Camera) -> Float32[np.ndarray, " rows"]:
    """z of the ground seen in each row from the horizon down; falls from row to row."""
    return (view.background * view.dz)[view.horizon :, 0]


def paint_background(
    spec: SceneSpec,
    view: Camera,
    placed: tuple[PlacedThing, ...],
    light: Light,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "H W 3"]:
    """Ground and wall with the objects' shadows, 0..255."""
    shade = np.ones((view.height, view.width), np.float32)
    lx, ly, lz = light.direction
    for item in placed:
        x, y, z = item.base
        half_x, height, half_z = item.half
        radius = (half_x + half_z) / 2
        if y == 0:
            _shadow(shade, view, (x, z), (x, z), radius, 0.38)
        if light.casts:
            # a shadow starts below the base and ends below the top, slightly shrunk
            start = (x - lx / ly * y, z - lz / ly * y)
            top = y + 0.85 * height
            end = (x - lx / ly * top, z - lz / ly * top)
            _shadow(shade, view, start, end, 0.7 * radius, 0.42)
    if spec.look is Look.PHOTO:
        image = texture_background(spec.subject, view, rng)
        image *= light.color
        image *= shade[..., None]
        return image
    image = np.empty((view.height, view.width, 3), np.float32)
    image[: view.horizon] = _PLAIN_WALL[spec.subject]
    image[view.horizon :] = _PLAIN_GROUND[spec.subject]
    image *= shade[..., None]
    return image


def paint_objects(
    image: Float32[np.ndarray, "H W 3"],
    view: Camera,
    surfaces: list[Surface],
    parts: Int16[np.ndarray, "H W"],
    inverse: Float32[np.ndarray, "H W"],
    light: Light,
) -> None:
    """Shade the pixels that show objects, in place: Lambert, ambient, highlight, grain."""
    flat = parts.ravel()
    pixels = np.flatnonzero(flat >= 0)
    pixels = pixels[np.argsort(flat[pixels], kind="stable")]
    which = flat[pixels]
    rows, columns = np.divmod(pixels, view.width)
    t = 1 / inverse.ravel()[pixels]
    points = np.stack([view.u[columns] * t, view.dy[rows, 0] * t, view.dz[rows, 0] * t])
    normals = np.empty_like(points)
    tone = np.ones(len(pixels), np.float32)
    ends = np.cumsum(np.bincount(which, minlength=len(surfaces))).tolist()
    for surface, start, end in zip(surfaces, [0, *ends], ends, strict=False):
        if start == end or surface.solid is None:
            continue
        mine = slice(start, end)
        normals[:, mine] = surface.solid.normals(points[:, mine])
        if surface.paint.cap_tone != 1 and isinstance(surface.solid, PlacedRound):
            tone[mine][surface.solid.on_cap(points[:, mine])] = surface.paint.cap_tone
        if surface.material == "wood":
            tone[mine] *= _grain(surface.item, points[:, mine])
    tone *= _lambert(normals, light)
    color = np.stack([surface.rgb for surface in surfaces])[which]
    color *= tone[:, None]
    color *= light.color
    gloss = np.array([_GLOSS[surface.material] for surface in surfaces], np.float32)[which]
    color += _highlight(normals, gloss, light)[:, None]
    image.reshape(-1, 3)[pixels] = color


_GLOSS: Final = {"rubber": (10.0, 0.0), "metal": (70.0, 170.0), "wood": (0.0, 0.0)}
"""Brightness of the wide and of the sharp highlight, in grey levels."""


def _lambert(normals: Float32[np.ndarray, "3 n"], light: Light) -> Float32[np.ndarray, " n"]:
    """``ambient + (1.08 - ambient) max(0, n . l)``, the ambient a little darker from below."""
    facing = np.maximum(np.array(light.direction, np.float32) @ normals, 0)
    facing *= 1.08 - light.ambient
    facing += light.ambient * (0.9 + 0.1 * normals[1])
    return facing


def _highlight(
    normals: Float32[np.ndarray, "3 n"], gloss: Float32[np.ndarray, "n 2"], light: Light
) -> Float32[np.ndarray, " n"]:
    """Blinn's ``(n . h)^k`` with h half way between lamp and eye; wide k = 8, sharp k = 32."""
    half = np.array(light.direction) + _TO_EYE
    facing = np.maximum((half / np.linalg.norm(half)).astype(np.float32) @ normals, 0)
    wide = facing**2
    wide *= wide
    wide *= wide
    sharp = wide * wide
    sharp *= sharp
    return gloss[:, 0] * wide + gloss[:, 1] * sharp


def _grain(item: PlacedThing, points: Float32[np.ndarray, "3 n"]) -> Float32[np.ndarray, " n"]:
    """Brightness of wood, in [0.7, 1.1]: fibres run along the object, not along the world."""
    x, _, z = item.origin
    k = TEXELS / item.scale
    along = ((points[0] - x + 0.5 * (points[2] - z)) * k).astype(np.int32)
    across = ((points[1] + 0.4 * (points[2] - z)) * k).astype(np.int32)
    at = (across & (SIDE - 1)) * SIDE + (along & (SIDE - 1))
    return 0.7 + 0.4 * grain()[at]
