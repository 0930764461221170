"""A line chart of several series with bands, as inline SVG; colours come from the page's CSS."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from groundrl.report.charts.svg import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    Axes,
    format_tick,
    grid_lines,
)

COLORS = 8
"""Settings beyond it get the same colours again, with dashed lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A mean between the lowest and the highest value."""

    x: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series; ``number`` chooses its colour."""

    name: str
    number: int
    points: Sequence[Point]
    """By x; at least one, all values finite."""


def series_class(number: int) -> str:
    """The CSS classes of a series: ``series-0``, and ``dashed`` from the ninth on."""
    return f"series-{number % COLORS}" + (" dashed" if number >= COLORS else "")


def band_chart(title: str, lines: Sequence[Line], names: Sequence[str] = ()) -> Markup:
    """A ``<figure>``: a line through the means of each series over a band from low to high.

    ``names``: what stands below the axis at 0, 1, 2, ...; by default numbers do. Raises ValueError
    without points.
    """
    points = [point for line in lines for point in line.points]
    if not points:
        raise ValueError(f"no points to draw for {title!r}")
    ends = sorted((point.x, value) for point in points for value in (point.low, point.high))
    axes = Axes.around(ends)
    bands = "".join(_band(line, axes) for line in lines if len(line.points) > 1)
    last = "".join(
        f'<span class="{series_class(line.number)}">{format_tick(line.points[-1].mean)}</span>'
        for line in lines
    )
    ticks = [(float(place), name) for place, name in enumerate(names)] if names else None
    return Markup(
        f'<figure class="bands" data-plot="{LEFT} {WIDTH - RIGHT} {HEIGHT - BOTTOM}" '
        f'data-span="{axes.x_low:g} {axes.x_high:g}" data-names="{html.escape("|".join(names))}">'
        f"<figcaption><b>{html.escape(title)}</b><output>{last}</output></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">'
        f"{grid_lines(axes, ticks)}{bands}{''.join(_trend(line, axes) for line in lines)}"
        '<path class="cursor"/></svg></figure>'
    )


def _band(line: Line, axes: Axes) -> str:
    there = [f"{axes.x(point.x):.1f} {axes.y(point.high):.1f}" for point in line.points]
    back = [f"{axes.x(point.x):.1f} {axes.y(point.low):.1f}" for point in reversed(line.points)]
    edge = "L".join([*there, *back])
    return f'<path class="band {series_class(line.number)}" d="M{edge}Z"/>'


def _trend(line: Line, axes: Axes) -> str:
    through = "L".join(f"{axes.x(p.x):.1f} {axes.y(p.mean):.1f}" for p in line.points)
    data = ";".join(f"{p.x:g},{p.mean:.4g},{p.low:.4g},{p.high:.4g}" for p in line.points)
    end, name = line.points[-1], html.escape(line.name)
    style = series_class(line.number)
    return (
        f'<path class="line {style}" data-name="{name}" data-points="{data}" d="M{through}"/>'
        f'<circle class="{style}" r="3" cx="{axes.x(end.x):.1f}" cy="{axes.y(end.mean):.1f}"/>'
    )
