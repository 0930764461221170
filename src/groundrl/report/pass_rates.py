"""How often completions were right in training, by kind of question: start and end of a run."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from groundrl.report.tables import Table, number

PREFIX = "pass_rate/"

Series = Mapping[str, Sequence[tuple[float, float]]]
"""Tag -> (step, value), in the order of the steps."""


def pass_rate_tables(curves: Mapping[str, Series]) -> list[Table]:
    """For each folder of events with pass rates, a row per kind: its rate after a tenth of the
    steps, since the first ones have few completions, and after the last one."""
    tables = (_pass_rate_table(folder, series) for folder, series in curves.items())
    return [table for table in tables if table.rows]


def _pass_rate_table(folder: str, series: Series) -> Table:
    rates = {tag: points for tag, points in series.items() if tag.startswith(PREFIX)}
    steps = sorted({step for points in rates.values() for step, _ in points})
    first, last = (steps[(len(steps) - 1) // 10], steps[-1]) if steps else (0.0, 0.0)
    rows = []
    for tag, points in sorted(rates.items()):
        known = bisect_right([step for step, _ in points], first)
        start, end = points[known - 1][1] if known else None, points[-1][1]
        rows.append(
            (
                tag.removeprefix(PREFIX),
                "" if start is None else number(start),
                number(end),
                "" if start is None else f"+{number(end - start)}".replace("+-", "-"),
            )
        )
    columns = ("kind", f"step {first:.0f}", f"step {last:.0f}", "change")
    return Table(columns=columns, rows=tuple(rows), title=folder)
