"""The smallest boxes around the shapes that annotation tools know."""

import math
from collections.abc import Sequence

Corners = tuple[float, float, float, float]
"""x1, y1, x2, y2."""


def around(points: Sequence[tuple[float, float]]) -> Corners:
    """The box around points. Raises ValueError where there are fewer than two."""
    if len(points) < 2:
        raise ValueError(f"a shape needs two points or more, got {len(points)}")
    xs, ys = zip(*points, strict=True)
    return float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))


def pairs(numbers: Sequence[float]) -> list[tuple[float, float]]:
    """x, y, x, y, … as points. Raises ValueError for an odd number of them."""
    if len(numbers) % 2:
        raise ValueError(f"expected pairs of x and y, got {len(numbers)} numbers")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def around_turned(corners: Corners, degrees: float, pivot: tuple[float, float]) -> Corners:
    """The box around a rectangle that is turned clockwise (y points down) around ``pivot``.

    Coordinates are of one length in both directions: pixels, not shares.
    """
    x1, y1, x2, y2 = corners
    if not degrees % 360:
        return around([(x1, y1), (x2, y2)])
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    px, py = pivot
    return around(
        [
            (px + (x - px) * cosine - (y - py) * sine, py + (x - px) * sine + (y - py) * cosine)
            for x in (x1, x2)
            for y in (y1, y2)
        ]
    )


def around_ellipse(cx: float, cy: float, rx: float, ry: float, degrees: float = 0.0) -> Corners:
    """The box around an ellipse that is turned around its centre; half its width is
    ``sqrt((rx cos a)^2 + (ry sin a)^2)``."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    half_width, half_height = math.hypot(rx * cosine, ry * sine), math.hypot(rx * sine, ry * cosine)
    return cx - half_width, cy - half_height, cx + half_width, cy + half_height


def inside(corners: Corners, width: int, height: int) -> Corners:
    """The part inside an image of this size; the box itself where its centre lies outside."""
    x1, y1, x2, y2 = corners
    if not (0 <= (x1 + x2) / 2 <= width and 0 <= (y1 + y2) / 2 <= height):
        return corners
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
