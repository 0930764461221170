"""The photo look: textured surroundings, and what a cheap camera makes of an image."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int32

from groundrl.world.graph import Subject
from groundrl.world.ray_tracer.camera import EYE, Camera
from groundrl.world.ray_tracer.textures import SIDE, TEXELS, ground_tiles, sensor_noise, wall_tiles

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SHIFTS = 1 << 16
"""Different starts into the strip of noise."""


@lru_cache(maxsize=16)
def _texture_grid(view: Camera) -> tuple[Int32[np.ndarray, "H W"], Int32[np.ndarray, "H 1"]]:
    """Texel columns of all pixels and texel rows of all image rows, before any shift."""
    across = view.u * view.background
    up = EYE + view.dy * view.background
    is_wall = np.arange(view.height)[:, None] < view.horizon
    along = np.where(is_wall, -up, view.dz * view.background)
    return (
        np.floor(across * TEXELS).astype(np.int32),
        np.floor(along * TEXELS).astype(np.int32),
    )


def texture_background(
    subject: Subject, view: Camera, rng: np.random.Generator
) -> Float32[np.ndarray, "H W 3"]:
    """Ground and wall in one of their variants, shifted at random, 0..255."""
    columns, rows = _texture_grid(view)
    image = np.empty((view.height, view.width, 3), np.float32)
    halves = (
        (slice(0, view.horizon), wall_tiles(subject)),
        (slice(view.horizon, None), ground_tiles(subject)),
    )
    for part, tiles in halves:
        tile = tiles[rng.integers(len(tiles))]
        shift_x, shift_y = rng.integers(SIDE, size=2).tolist()
        at = columns[part] + shift_x
        at &= SIDE - 1
        at += ((rows[part] + shift_y) & (SIDE - 1)) * SIDE
        # one look-up of four bytes is much faster than three of one
        image[part] = tile.take(at)[..., None].view(np.uint8)[..., :3]
    return image


@lru_cache(maxsize=16)
def _vignette(view: Camera) -> Float32[np.ndarray, "H W 1"]:
    """Brightness falls towards the corners."""
    y = (np.arange(view.height) + 0.5) / view.height - 0.5
    x = (np.arange(view.width) + 0.5) / view.width - 0.5
    distance = y[:, None] ** 2 + x[None, :] ** 2
    return (1.04 - 0.42 * distance)[..., None].astype(np.float32)


def _blur(image: Float32[np.ndarray, "H W"], side: float) -> None:
    """Blur with weights (side, 1 - 2 side, side) along rows, then columns, in place; the rim
    stays."""
    for view in (image, image.T):
        around = view[2:] + view[:-2]
        around *= side
        view[1:-1] *= 1 - 2 * side
        view[1:-1] += around


def _halve(chroma: Float32[np.ndarray, "H W 3"]) -> None:
    """Average colour over 2 x 2 pixels in place, as still images are stored; an odd last row or
    column stays."""
    height, width = (size // 2 for size in chroma.shape[:2])
    even = chroma[: 2 * height, : 2 * width]
    pairs = (even[::2] + even[1::2]).reshape(height, width, 2, 3)
    mean = pairs[:, :, 0] + pairs[:, :, 1]
    mean *= 0.25
    even.reshape(height, 2, width, 2, 3)[:] = mean[:, None, :, None]


def photograph(image: Float32[np.ndarray, "H W 3"], view: Camera, rng: np.random.Generator) -> None:
    """Vignette, blur, colour at half resolution and noise, in place."""
    image *= _vignette(view)
    luma = image @ _LUMA
    image -= luma[..., None]
    _halve(image)
    _blur(luma, float(rng.uniform(0.06, 0.2)))
    image += luma[..., None]
    start = int(rng.integers(_SHIFTS))
    noise = sensor_noise(image.size + _SHIFTS)[start : start + image.size]
    image += np.float32(rng.uniform(2.5, 6.0)) * noise.reshape(image.shape)
