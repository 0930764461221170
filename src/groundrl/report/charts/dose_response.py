"""Metrics of a sweep against an option that is a number: how much of it has which effect."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from groundrl.intervals import Interval
from groundrl.report.charts.svg import line_chart

LEAST_DOSES: Final = 3
"""Two points make no curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseCurve:
    """One metric of rows that differ in one option only."""

    metric: str
    option: str
    setting: str
    """What these rows have in common; empty where that is nothing."""
    points: tuple[tuple[float, float], ...]
    """(value of the option, mean over seeds), by the value."""

    @property
    def chart(self) -> Markup:
        """A ``<figure>`` of the curve."""
        setting = f"{self.setting}: " if self.setting else ""
        return line_chart(f"{setting}{self.metric} by {self.option}", self.points)


def dose_curves(found: Mapping[str, Mapping[str, Interval]]) -> Iterator[DoseCurve]:
    """Curves of every metric, for options that have three or more numbers in the names of rows:
    ``grpo/data.undersample.keep=0.2``."""
    groups: dict[tuple[str, str], dict[float, Mapping[str, Interval]]] = {}
    for row, metrics in found.items():
        parts = row.split("/")
        for place, part in enumerate(parts):
            option, value = _numbered(part)
            if value is not None:
                setting = "/".join([*parts[:place], *parts[place + 1 :]])
                groups.setdefault((option, setting), {})[value] = metrics
    for (option, setting), rows in groups.items():
        doses = sorted(rows)
        if len(doses) < LEAST_DOSES:
            continue
        for metric in rows[doses[0]]:
            points = tuple((d, rows[d][metric].mean) for d in doses if metric in rows[d])
            yield DoseCurve(metric=metric, option=option, setting=setting, points=points)


def _numbered(part: str) -> tuple[str, float | None]:
    """The option and its value; None for a value that is no number."""
    option, _, value = part.partition("=")
    try:
        return option, float(value)
    except ValueError:
        return option, None
