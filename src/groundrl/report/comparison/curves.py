"""Learning curves: one line per setting, with a band over its runs."""

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from groundrl.report.charts.bands import Line, Point, band_chart
from groundrl.report.charts.svg import SMOOTH_FROM, smooth
from groundrl.report.comparison.runs import ComparedRun, by_setting
from groundrl.report.run_report import CurveGroup
from groundrl.report.tables import is_headline, metric_names

MAX_POINTS = 150
MAIN = "reward"
"""The group of curves that is open when the page is."""

Series = Sequence[tuple[float, float]]
"""(step, value), by step."""


def stage_charts(runs: Sequence[ComparedRun]) -> list[Markup]:
    """One chart per headline figure over the stages; none where no run has several stages."""
    stages = list(dict.fromkeys(stage for run in runs for stage in run.stages))
    if all(len(run.stages) < 2 for run in runs):
        return []
    figures = [metrics for run in runs for metrics in run.stages.values()]
    charts = []
    for name in filter(is_headline, metric_names(figures)):
        lines = []
        for number, (setting, own) in enumerate(by_setting(runs).items()):
            series = [
                [
                    (float(place), run.stages[stage][name])
                    for place, stage in enumerate(stages)
                    if name in run.stages.get(stage, {})
                ]
                for run in own
            ]
            points = merge(series)
            lines += [Line(name=setting, number=number, points=points)] if points else []
        if any(line.points[0].mean != point.mean for line in lines for point in line.points):
            charts.append(band_chart(name, lines, stages))
    return charts


def curve_groups(runs: Sequence[ComparedRun]) -> list[CurveGroup]:
    """Every curve that a run logged, by the first word of its name; those of the reward first."""
    charts: dict[tuple[str, str], list[Markup]] = {}
    for folder, tags in _tags(runs).items():
        for tag in tags:
            lines = []
            for number, (setting, own) in enumerate(by_setting(runs).items()):
                logged = (run.curves.get(folder, {}).get(tag, []) for run in own)
                points = merge([smoothed(series) for series in logged if series])
                lines += [Line(name=setting, number=number, points=points)] if points else []
            group = tag.split("/")[0] if "/" in tag else "training"
            if lines:
                charts.setdefault((folder, group), []).append(band_chart(tag, lines))
    ordered = sorted(charts, key=lambda key: key[1] != MAIN)
    return [
        CurveGroup(name=f"{folder} · {group}", is_open=group == MAIN, charts=charts[folder, group])
        for folder, group in ordered
    ]


def _tags(runs: Iterable[ComparedRun]) -> dict[str, list[str]]:
    """Tags of all runs by folder of the events."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for folder, series in run.curves.items():
            found.setdefault(folder, {}).update(dict.fromkeys(series))
    return {folder: sorted(tags) for folder, tags in found.items()}


def smoothed(series: Series) -> Series:
    """As the report of a run draws it."""
    if len(series) < SMOOTH_FROM:
        return series
    values = smooth([value for _, value in series])
    return [(step, value) for (step, _), value in zip(series, values, strict=True)]


def merge(series: Sequence[Series]) -> list[Point]:
    """Mean, lowest and highest value at every step over the runs that logged it; at most
    ``MAX_POINTS`` steps, evenly chosen, the last one among them. Values that are not finite are
    left out."""
    values: dict[float, list[float]] = {}
    for one in series:
        for step, value in one:
            if math.isfinite(value):
                values.setdefault(step, []).append(value)
    steps = sorted(values)
    if len(steps) > MAX_POINTS:
        last = len(steps) - 1
        steps = [steps[round(last * k / (MAX_POINTS - 1))] for k in range(MAX_POINTS)]
    return [
        Point(
            x=step,
            mean=sum(values[step]) / len(values[step]),
            low=min(values[step]),
            high=max(values[step]),
        )
        for step in steps
    ]
