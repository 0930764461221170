"""Surfaces, made once per process from fixed seeds; afterwards they are shifted and looked up."""

from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float32, UInt8, UInt32
from scipy.ndimage import uniform_filter

from groundrl.world.graph import Subject

SIDE: Final = 512
"""Side of a tile in texels; tiles repeat without a seam."""
TEXELS: Final = 96
"""Texels per scene unit: about one per pixel in the foreground of a 160-pixel image."""
VARIANTS: Final = 3


Tile = UInt32[np.ndarray, " texels"]
"""Flat SIDE x SIDE texels: red, green, blue and an unused byte each."""


def _pack(tile: UInt8[np.ndarray, "side side 3"]) -> Tile:
    texels = np.zeros((SIDE * SIDE, 4), np.uint8)
    texels[:, :3] = tile.reshape(-1, 3)
    return texels.view(np.uint32).ravel()


def _smooth(rng: np.random.Generator, falloff: float, stretch: float = 1.0) -> np.ndarray:
    """Periodic noise with spectrum 1 / f^falloff, mean 0, standard deviation 1; columns are
    ``stretch`` times finer than rows."""
    frequency = np.fft.fftfreq(SIDE) * SIDE
    radius = np.hypot(frequency[:, None] / stretch, frequency[None, :] * stretch)
    radius[0, 0] = np.inf
    spectrum = np.fft.fft2(rng.standard_normal((SIDE, SIDE))) / np.maximum(radius, 1) ** falloff
    noise = np.fft.ifft2(spectrum).real
    return (noise - noise.mean()) / noise.std()


def _tint(value: np.ndarray, rgb: tuple[int, int, int]) -> UInt8[np.ndarray, "side side 3"]:
    return np.clip(value[..., None] * np.array(rgb), 0, 255).astype(np.uint8)


def _scatter(
    tile: np.ndarray,
    rng: np.random.Generator,
    count: int,
    colors: UInt8[np.ndarray, "n 3"],
    radius: tuple[float, float],
) -> None:
    """Drop small flat neutral bits (pebbles, leaves, crumbs) on a tile, in place."""
    reach = 2 * int(radius[1]) + 2
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    for _ in range(count):
        around = np.arange(-reach, reach + 1)
        rows, columns = (around + rng.integers(SIDE)) % SIDE, (around + rng.integers(SIDE)) % SIDE
        patch = tile[np.ix_(rows, columns)]
        turn, size, flat = rng.uniform(0, np.pi), rng.uniform(*radius), rng.uniform(0.4, 0.9)
        a, b = np.cos(turn) * dx + np.sin(turn) * dy, np.cos(turn) * dy - np.sin(turn) * dx
        patch[np.hypot(a - 1.5, b / flat + 1.5) < 1.15 * size] //= 2
        distance = np.hypot(a, b / flat) / size
        shade = 1.12 - 0.3 * distance[distance < 1, None]
        patch[distance < 1] = np.clip(colors[rng.integers(len(colors))] * shade, 0, 255)
        tile[np.ix_(rows, columns)] = patch


def _planks(rng: np.random.Generator, rgb: tuple[int, int, int]) -> np.ndarray:
    """Boards running away from the camera, with grain along them."""
    width = SIDE // 8
    grain = 0.05 * _smooth(rng, 1.0, stretch=5.0) + 0.05 * _smooth(rng, 1.6, stretch=2.0)
    board = np.repeat(rng.uniform(0.86, 1.06, 8), width)[None, :]
    value = board * (1 + grain)
    value[:, ::width] *= 0.6
    value[:, 1::width] *= 0.8
    return _tint(value, rgb)


def _asphalt(rng: np.random.Generator, rgb: tuple[int, int, int]) -> np.ndarray:
    """Grainy grey with worn patches and one broken line."""
    value = 1 + 0.07 * rng.standard_normal((SIDE, SIDE)) + 0.08 * _smooth(rng, 1.4)
    tile = _tint(value, rgb)
    line = slice(300, 314)
    tile[line, : SIDE // 2] = np.clip(
        170 + 18 * _smooth(rng, 1.0)[line, : SIDE // 2, None], 0, 255
    ).astype(np.uint8)
    return tile


def _plaster(rng: np.random.Generator, rgb: tuple[int, int, int]) -> np.ndarray:
    """A room's wall, out of focus: stains of light and a few pale upright panels."""
    value = 1 + 0.10 * _smooth(rng, 2.2)
    for _ in range(5):
        at, width = int(rng.integers(SIDE)), int(rng.integers(30, 90))
        columns = np.arange(at, at + width) % SIDE
        value[:, columns] *= rng.uniform(0.82, 1.12)
    return _blur(_tint(value, rgb), 6)


def _facade(rng: np.random.Generator, rgb: tuple[int, int, int]) -> np.ndarray:
    """A row of buildings with dark windows, out of focus."""
    tile = _tint(1 + 0.05 * _smooth(rng, 1.2), rgb)
    at = 0
    while at < SIDE:
        width = min(int(rng.integers(90, 150)), SIDE - at)
        tint = rng.uniform(0.7, 1.1) * rng.uniform(0.94, 1.06, 3)
        house = np.clip(tile[:, at : at + width] * tint, 0, 255)
        across = (np.arange(width) % 36 > 9) & (np.arange(width) % 36 < 27)
        along = (np.arange(SIDE) % 64 > 14) & (np.arange(SIDE) % 64 < 46)
        house[along[:, None] & across[None, :]] = (72, 78, 86)
        house[:, :2] *= 0.6
        tile[:, at : at + width] = house
        at += width
    return _blur(tile, 3)


def _blur(tile: np.ndarray, radius: int) -> np.ndarray:
    side, values = 2 * radius + 1, tile.astype(np.float32)
    return uniform_filter(values, size=side, mode="wrap", axes=(0, 1)).astype(np.uint8)


_WOODS: Final = ((176, 146, 114), (128, 100, 78), (204, 186, 160))
_ROADS: Final = ((112, 112, 114), (92, 94, 98), (134, 130, 124))
_ROOMS: Final = ((214, 208, 198), (176, 182, 188), (150, 142, 132))
_TOWNS: Final = ((186, 172, 156), (160, 160, 164), (146, 124, 112))
_CRUMBS: Final = np.array([(226, 216, 200), (96, 80, 66), (160, 150, 140)], np.uint8)
_LITTER: Final = np.array([(150, 146, 138), (82, 76, 70), (112, 98, 74)], np.uint8)


@lru_cache(maxsize=4)
def ground_tiles(subject: Subject) -> tuple[Tile, ...]:
    """Table tops or road surfaces with their clutter, rows running away from the camera."""
    rng = np.random.default_rng(11)
    tiles = []
    for k in range(VARIANTS):
        if subject is Subject.TABLETOP:
            tile = _planks(rng, _WOODS[k])
            _scatter(tile, rng, 26, _CRUMBS, (1.5, 5.0))
        else:
            tile = _asphalt(rng, _ROADS[k])
            _scatter(tile, rng, 44, _LITTER, (2.0, 6.0))
        tiles.append(_pack(tile))
    return tuple(tiles)


@lru_cache(maxsize=4)
def wall_tiles(subject: Subject) -> tuple[Tile, ...]:
    """What stands behind the scene, rows running up."""
    rng = np.random.default_rng(12)
    make, tints = (_plaster, _ROOMS) if subject is Subject.TABLETOP else (_facade, _TOWNS)
    return tuple(_pack(make(rng, rgb)) for rgb in tints)


@lru_cache(maxsize=1)
def grain() -> Float32[np.ndarray, " texels"]:
    """Wood grain for objects, in [0, 1], as a flat tile with rows across the fibres."""
    rng = np.random.default_rng(13)
    noise = _smooth(rng, 0.9, stretch=1 / 6.0)
    return np.clip(0.5 + 0.28 * noise, 0, 1).astype(np.float32).ravel()


@lru_cache(maxsize=4)
def sensor_noise(size: int) -> Float32[np.ndarray, " size"]:
    """A strip of noise with standard deviation 1, slightly correlated between pixels."""
    white = np.random.default_rng(14).standard_normal(size)
    return ((white + 0.5 * np.roll(white, 3)) / np.sqrt(1.25)).astype(np.float32)
