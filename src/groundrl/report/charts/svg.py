"""Curves and dot-and-whisker plots as inline SVG; colours come from the page's CSS.

Ours, not a library's: a page must work offline and in both colour schemes, and stay small; plots of
matplotlib or plotly bring their own colours or megabytes of script.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from groundrl.report.tables import number

WIDTH, HEIGHT = 360, 170
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 10, 22
MAX_POINTS = 300
SMOOTH_FROM = 20
"""Fewer points are drawn as they are."""
ROW = 26
GLYPH = 7.2
"""Mean width of a letter at 12 pixels."""
LONG_NAMES = 140
"""Pixels; a plot whose names are longer is as wide as two."""


def place_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """At most ``count + 1`` multiples of 1, 2 or 5 times a power of ten within [low, high]."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(k * step) for k in range(first, last + 1)]


def format_tick(value: float) -> str:
    """For the ends of axes: 0.05, 1.2k, 3e-05."""
    if value and (abs(value) < 1e-3 or abs(value) >= 1e6):
        return f"{value:.0e}" if float(f"{value:.0e}") == value else f"{value:.2g}"
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:.4g}"


def downsample(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most ``MAX_POINTS``: the mean of each run of neighbours, at the run's last step."""
    if len(points) <= MAX_POINTS:
        return list(points)
    bounds = [round(len(points) * k / MAX_POINTS) for k in range(MAX_POINTS + 1)]
    runs = [points[a:b] for a, b in pairwise(bounds)]
    return [(run[-1][0], sum(y for _, y in run) / len(run)) for run in runs]


def smooth(values: Sequence[float]) -> list[float]:
    """Exponential mean over about a twentieth of the values, without pull towards the start.

    Values that are not finite are passed over.
    """
    keep = 1 - 2 / (len(values) / 20 + 1)
    total = weight = 0.0
    result = []
    for value in values:
        if math.isfinite(value):
            total, weight = keep * total + value, keep * weight + 1
        result.append(total / weight if weight else math.nan)
    return result


@dataclass(frozen=True, slots=True)
class Axes:
    """Maps data to the plot; a span of zero is widened."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        """Pixels from the left."""
        share = (value - self.x_low) / (self.x_high - self.x_low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        share = (value - self.y_low) / (self.y_high - self.y_low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    @classmethod
    def around(cls, points: Sequence[tuple[float, float]]) -> "Axes":
        """All finite points, with a little air above and below."""
        x_low, x_high = points[0][0], points[-1][0]
        finite = [y for _, y in points if math.isfinite(y)] or [0.0]
        low, high = min(finite), max(finite)
        air = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
        # Most metrics cannot be negative; the axis must not suggest that they were.
        floor = max(low - air, 0.0) if low >= 0 else low - air
        return cls(x_low, x_high if x_high > x_low else x_low + 1, floor, high + air)


def _path_data(points: Sequence[tuple[float, float]], axes: Axes) -> str:
    """Moves where a value is not finite, so that the line has a gap there."""
    commands, command = [], "M"
    for x, y in points:
        if math.isfinite(y):
            commands.append(f"{command}{axes.x(x):.1f} {axes.y(y):.1f}")
        command = "L" if math.isfinite(y) else "M"
    return "".join(commands)


def line_chart(title: str, series: Sequence[tuple[float, float]]) -> Markup:
    """A ``<figure>`` of (step, value) pairs, ordered by step: faint as logged, strong smoothed.

    Raises ValueError without points.
    """
    if not series:
        raise ValueError(f"no points to draw for {title!r}")
    points = downsample(series)
    axes = Axes.around(points)
    values = [y for _, y in points]
    curve = smooth(values) if len(values) >= SMOOTH_FROM else values
    trend = [(x, y) for (x, _), y in zip(points, curve, strict=True)]
    raw = f'<path class="raw" d="{_path_data(points, axes)}"/>' if curve is not values else ""
    last = next((p for p in reversed(trend) if math.isfinite(p[1])), None)
    shown = format_tick(last[1]) if last else "not finite"
    dot = f'<circle r="3" cx="{axes.x(last[0]):.1f}" cy="{axes.y(last[1]):.1f}"/>' if last else ""
    data = ";".join(f"{x:g},{y:.4g}" for x, y in points)
    plot = f"{LEFT} {WIDTH - RIGHT} {HEIGHT - BOTTOM}"
    return Markup(
        f'<figure class="curve" data-points="{data}" data-plot="{plot}">'
        f"<figcaption><b>{html.escape(title)}</b>"
        f'<output data-last="{shown}">{shown}</output></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">'
        f"{grid_lines(axes)}{raw}"
        f'<path class="trend" d="{_path_data(trend, axes)}"/>{dot}'
        '<path class="cursor"/></svg></figure>'
    )


def grid_lines(axes: Axes, names: Sequence[tuple[float, str]] | None = None) -> str:
    """Lines and numbers of both axes; ``names`` stand at their places on the horizontal one instead
    of numbers."""
    lines = []
    for value in place_ticks(axes.y_low, axes.y_high, 4):
        y = axes.y(value)
        lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        lines.append(
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="end">{format_tick(value)}</text>'
        )
    numbers = [(value, format_tick(value)) for value in place_ticks(axes.x_low, axes.x_high)]
    for value, shown in numbers if names is None else names:
        x = axes.x(value)
        lines.append(
            f'<text x="{x:.1f}" y="{HEIGHT - 5}" class="middle">{html.escape(shown)}</text>'
        )
    return "".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One row of a dot-and-whisker plot."""

    name: str
    value: float
    low: float
    """Lower end of the interval; equal to ``value`` where there is none."""
    high: float
    published: float | None = None
    """Drawn as a hollow diamond."""


def dot_whisker(title: str, dots: Sequence[Dot]) -> Markup:
    """A ``<figure>`` with one row per dot on a common axis. Raises ValueError without dots."""
    if not dots:
        raise ValueError(f"no dots to draw for {title!r}")
    ends = [x for d in dots for x in (d.low, d.high, d.value, d.published) if x is not None]
    ends = [x for x in ends if math.isfinite(x)] or [0.0]
    air = (max(ends) - min(ends)) * 0.08 or abs(max(ends)) * 0.1 or 1.0
    low, high = min(ends) - air, max(ends) + air
    if min(ends) >= 0:
        # Most metrics cannot be negative; the axis must not suggest that they were.
        low = max(low, 0.0)
    left = 12 + GLYPH * max(len(dot.name) for dot in dots)
    width, height = left + 320, ROW * len(dots) + BOTTOM

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - 52)

    marks = [
        f'<path class="grid" d="M{x(tick):.1f} 0V{height - BOTTOM}"/>'
        f'<text class="middle" x="{x(tick):.1f}" y="{height - 6}">{format_tick(tick)}</text>'
        for tick in place_ticks(low, high)
    ]
    marks += [
        _dot(dot, ROW * row + ROW / 2, left, width, x(dot.value), x(dot.low), x(dot.high))
        for row, dot in enumerate(dots)
    ]
    marks += [
        f'<path class="published" d="M{x(dot.published):.1f} {ROW * row + ROW / 2 - 5}'
        f'l5 5l-5 5l-5 -5z"><title>published {number(dot.published)}</title></path>'
        for row, dot in enumerate(dots)
        if dot.published is not None
    ]
    names = " long-names" if left > LONG_NAMES else ""
    return Markup(
        f'<figure class="dots{names}"><figcaption><b>{html.escape(title)}</b></figcaption>'
        f'<svg viewBox="0 0 {width:.0f} {height}" role="img" aria-label="{html.escape(title)}">'
        f"{''.join(marks)}</svg></figure>"
    )


def _dot(
    dot: Dot, y: float, left: float, width: float, x: float, x_low: float, x_high: float
) -> str:
    """Name, whisker, dot and value of one row; only the name where the value is not finite."""
    name = f'<text class="end" x="{left - 10:.1f}" y="{y + 4}">{html.escape(dot.name)}</text>'
    if not math.isfinite(dot.value):
        return name
    whisker = ""
    if math.isfinite(dot.low + dot.high) and dot.high > dot.low:
        whisker = f'<path class="whisker" d="M{x_low:.1f} {y}H{x_high:.1f}"/>'
    value = f'<text class="end value" x="{width - 2:.0f}" y="{y + 4}">{number(dot.value)}</text>'
    return f'{name}{whisker}<circle r="4.5" cx="{x:.1f}" cy="{y}"/>{value}'


def reliability_chart(title: str, bins: Sequence[tuple[float, float, float, float, int]]) -> Markup:
    """A ``<figure>`` of (mean probability, observed share, its interval's ends, count) per bin, all
    but the count in [0, 1], beside the diagonal of perfect calibration."""
    axes = Axes(0.0, 1.0, 0.0, 1.0)
    marks = [
        f'<path class="whisker" d="M{axes.x(x):.1f} {axes.y(low):.1f}V{axes.y(high):.1f}"/>'
        f'<circle r="4.5" cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}">'
        f"<title>{number(y)} of {n}, expected {number(x)}</title></circle>"
        for x, y, low, high, n in bins
    ]
    diagonal = f"M{axes.x(0.0):.1f} {axes.y(0.0):.1f}L{axes.x(1.0):.1f} {axes.y(1.0):.1f}"
    return Markup(
        f'<figure class="dots"><figcaption><b>{html.escape(title)}</b></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">'
        f'{grid_lines(axes)}<path class="grid" d="{diagonal}"/>{"".join(marks)}</svg></figure>'
    )
