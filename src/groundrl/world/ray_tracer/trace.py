"""Exact ray casting of one part over a window of pixels.

Everything is written in ``s = 1 / depth``: on a ray ``p = eye + d / s`` a plane is linear in d and
a quadric is ``a + 2 b s + c s^2`` with a constant c, so no division per pixel is needed, and the
nearest surface is the one with the greatest s. A miss is ``s = 0``.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float32

from groundrl.world.ray_tracer.camera import EYE, Camera
from groundrl.world.ray_tracer.primitives import Block, Part, Ring, Round

Window = tuple[slice, slice]
"""Rows, columns."""
Inverse = Float32[np.ndarray, "h w"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedRound:
    """A solid of revolution in the world, seen from the eye."""

    eye: tuple[float, float, float]
    """The eye as seen from the centre of the base."""
    height: float
    profile: tuple[float, float, float]
    """Squared radius at height y: ``a + b y + c y^2``."""

    def trace(self, view: Camera, window: Window) -> Inverse:
        """1 / depth of the first hit."""
        rows, columns = window
        x, y, z = self.eye
        p0, p1, p2 = self.profile
        u, dy, dz = view.u[columns], view.dy[rows], view.dz[rows]
        a = u * u + (dz * dz - p2 * dy * dy)
        b = x * u + (z * dz - (p1 / 2 + p2 * y) * dy)
        c = x * x + z * z - (p0 + p1 * y + p2 * y * y)
        root = b * b
        root -= c * a
        hit = root > 0
        np.sqrt(root, out=root, where=hit)
        s = (root - b) * (1 / c)
        above = s * y
        above += dy
        hit &= above >= 0
        hit &= above <= self.height * s
        s *= hit
        top = p0 + p1 * self.height + p2 * self.height**2
        if top > 1e-5:
            at = dy / (self.height - y)
            cap = (x * at + u) ** 2
            cap += (z * at + dz) ** 2 - top * at * at
            np.maximum(s, at * (cap <= 0), out=s)
        return s

    def normals(self, points: Float32[np.ndarray, "3 n"]) -> Float32[np.ndarray, "3 n"]:
        """Outward unit normals; points are relative to the eye."""
        _, p1, p2 = self.profile
        x, y, z = (points[i] + self.eye[i] for i in range(3))
        up = -(p1 / 2 + p2 * y)
        scale = 1 / np.sqrt(x * x + z * z + up * up + 1e-9)
        normal = np.stack([x * scale, up * scale, z * scale])
        normal[:, self.on_cap(points)] = np.array([[0.0], [1.0], [0.0]], np.float32)
        return normal

    def on_cap(self, points: Float32[np.ndarray, "3 n"]) -> np.ndarray:
        """Which points lie on the flat top."""
        return points[1] + self.eye[1] > self.height - 1e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedBlock:
    """A convex solid: ``normals @ (p - eye) <= offsets``."""

    planes: Float32[np.ndarray, "K 3"]
    offsets: Float32[np.ndarray, " K"]

    def trace(self, view: Camera, window: Window) -> Inverse:
        """1 / depth of the first hit: where the ray has passed the last plane facing the eye."""
        rows, columns = window
        scaled = (self.planes / self.offsets[:, None])[:, :, None, None]
        u, dy, dz = view.u[columns], view.dy[rows], view.dz[rows]
        s = scaled[:, 0] * u + (scaled[:, 1] * dy + scaled[:, 2] * dz)
        front = self.offsets < 0
        enter = s[front].min(axis=0)
        leave = s[~front].max(axis=0)
        enter *= enter > np.maximum(leave, 0, out=leave)
        return enter

    def normals(self, points: Float32[np.ndarray, "3 n"]) -> Float32[np.ndarray, "3 n"]:
        """Outward unit normals; points are relative to the eye."""
        front = self.offsets < 0
        planes = self.planes[front]
        distance = planes @ points - self.offsets[front][:, None]
        return planes[distance.argmax(axis=0)].T


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedRing:
    """An upright flat ring in the world."""

    eye: tuple[float, float, float]
    """The eye as seen from the centre."""
    normal: tuple[float, float]
    """(x, z) of the unit normal that looks to the eye."""
    outer: float
    inner: float

    def trace(self, view: Camera, window: Window) -> Inverse:
        """1 / depth of the hit."""
        rows, columns = window
        x, y, z = self.eye
        nx, nz = self.normal
        u, dy, dz = view.u[columns], view.dy[rows], view.dz[rows]
        distance = -(x * nx + z * nz)
        s = (nx / distance) * u + (nz / distance) * dz
        across = (x * nz - z * nx) * s + (nz * u - nx * dz)
        squared = across * across + (y * s + dy) ** 2
        s2 = s * s
        return s * ((squared <= self.outer**2 * s2) & (squared >= self.inner**2 * s2) & (s > 0))

    def normals(self, points: Float32[np.ndarray, "3 n"]) -> Float32[np.ndarray, "3 n"]:
        """The normal, once for each point."""
        normal = np.array([[self.normal[0]], [0.0], [self.normal[1]]], np.float32)
        return np.broadcast_to(normal, points.shape)


Solid = PlacedRound | PlacedBlock | PlacedRing


@lru_cache(maxsize=256)
def _block_planes(block: Block) -> Float[np.ndarray, "6 4"]:
    """Rows (n, offset) of the six faces in the block's own frame, origin at the base."""
    w, h, d = block.size
    rows = []
    for axis, (half, top) in enumerate(((w / 2, block.top[0]), (d / 2, block.top[1]))):
        lean = half * (1 - top)
        length = math.hypot(h, lean)
        for sign in (-1, 1):
            side = [0.0, lean / length, 0.0, half * h / length]
            side[2 * axis] = sign * h / length
            rows.append(side)
    rows += [[0.0, 1.0, 0.0, h], [0.0, -1.0, 0.0, 0.0]]
    return np.array(rows)


def place_part(
    part: Part, origin: tuple[float, float, float], scale: float, yaw: float
) -> Solid | None:
    """A part in the world, in units; None when it shows the eye its back."""
    c, s = math.cos(yaw), math.sin(yaw)
    local = part.center if isinstance(part, Ring) else part.base
    x, y, z = (scale * value for value in local)
    eye = (-origin[0] - c * x - s * z, EYE - origin[1] - y, -origin[2] - c * z + s * x)
    match part:
        case Round():
            a, b, curve = part.profile
            return PlacedRound(
                eye=eye, height=scale * part.height, profile=(scale**2 * a, scale * b, curve)
            )
        case Block():
            planes = _block_planes(part)
            turn = np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
            normals = planes[:, :3] @ turn
            offsets = scale * planes[:, 3] - normals @ np.array(eye)
            return PlacedBlock(
                planes=normals.astype(np.float32), offsets=offsets.astype(np.float32)
            )
        case Ring():
            sign = part.facing or -1
            nx, nz = s * sign, c * sign
            towards = eye[0] * nx + eye[2] * nz
            if towards <= 0:
                if part.facing:
                    return None
                nx, nz = -nx, -nz
            return PlacedRing(
                eye=eye, normal=(nx, nz), outer=scale * part.outer, inner=scale * part.inner
            )
