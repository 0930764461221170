"""Lines over several runs, and the charts of them."""

import re
from pathlib import Path

import pytest
from compared_runs import write_rights
from hypothesis import given
from hypothesis import strategies as st

from groundrl.report.charts.bands import Line, Point, band_chart
from groundrl.report.comparison.curves import (
    MAX_POINTS,
    curve_groups,
    merge,
    smoothed,
    stage_charts,
)
from groundrl.report.comparison.runs import find_compared


def test_a_line_is_the_mean_of_the_runs_that_logged_a_step() -> None:
    points = merge([[(1.0, 0.25), (2.0, 0.5)], [(1.0, 0.75), (3.0, float("nan"))]])
    assert points == [
        Point(x=1.0, mean=0.5, low=0.25, high=0.75),
        Point(x=2.0, mean=0.5, low=0.5, high=0.5),
    ]
    assert merge([]) == []


@given(st.lists(st.lists(st.floats(-5, 5), max_size=400), max_size=4))
def test_a_mean_lies_in_its_band_and_the_last_step_is_kept(runs: list[list[float]]) -> None:
    series = [[(float(step), value) for step, value in enumerate(run)] for run in runs]
    points = merge(series)
    assert len(points) == min(MAX_POINTS, max(map(len, runs), default=0))
    assert all(point.low - 1e-9 <= point.mean <= point.high + 1e-9 for point in points)
    assert not points or points[-1].x == max(map(len, runs)) - 1
    assert [point.x for point in points] == sorted({point.x for point in points})


def test_few_points_are_not_smoothed() -> None:
    short = [(float(step), float(step % 2)) for step in range(19)]
    assert smoothed(short) is short
    assert len(smoothed([*short, (19.0, 1.0)])) == 20


def test_a_chart_draws_every_series_in_its_own_colour() -> None:
    lines = [
        Line(
            name=f"<{number}>",
            number=number,
            points=[Point(x=float(x), mean=0.5, low=0.4, high=0.6) for x in range(3)],
        )
        for number in (0, 1, 9)
    ]
    chart = band_chart("a & b", lines, ["start", "sft", "grpo"])
    assert chart.count('class="band ') == chart.count('class="line') == 3
    assert 'class="line series-1 dashed"' in chart
    assert "&lt;9&gt;" in chart
    assert "a &amp; b" in chart
    assert re.findall(r'class="middle">(\w+)', chart) == ["start", "sft", "grpo"]
    with pytest.raises(ValueError, match="no points to draw for 'x'"):
        band_chart("x", [])


def test_held_out_figures_have_a_chart_over_the_stages(tmp_path: Path) -> None:
    write_rights(tmp_path / "a", [True, False], [True, True])
    write_rights(tmp_path / "b", [True, False], [False, False])
    runs = find_compared([str(tmp_path)]).runs
    (chart,) = stage_charts(runs)
    assert "tabletop/acc" in chart
    assert 'data-points="0,0.5,0.5,0.5;1,1,1,1"' in chart
    assert curve_groups(runs) == []
