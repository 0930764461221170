"""Curves and dot-and-whisker plots."""

import math
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.report.charts.svg import (
    MAX_POINTS,
    Dot,
    dot_whisker,
    downsample,
    format_tick,
    line_chart,
    place_ticks,
    smooth,
)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 120, [0, 50, 100]), (3, 3, [3])],
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert place_ticks(float(low), float(high)) == pytest.approx(expected)


@given(
    st.floats(-1e6, 1e6, allow_subnormal=False),
    st.floats(1e-6, 1e6, allow_subnormal=False),
)
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    found = place_ticks(low, low + span)
    assert len(found) <= 6
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in found)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.05, "0.05"), (12000.0, "12k"), (1e-5, "1e-05"), (2.5e-7, "2.5e-07")],
)
def test_axis_ends_are_short(value: float, text: str) -> None:
    assert format_tick(value) == text


def test_long_curves_are_downsampled_to_means() -> None:
    points = [(float(step), float(step % 2)) for step in range(10 * MAX_POINTS)]
    few = downsample(points)
    assert len(few) == MAX_POINTS
    assert few[-1][0] == points[-1][0]
    assert {y for _, y in few} == {0.5}


def test_smoothing_keeps_a_constant_and_passes_over_nan() -> None:
    assert smooth([2.0] * 50) == pytest.approx([2.0] * 50)
    curve = smooth([math.nan, *[1.0] * 40, math.nan])
    assert math.isnan(curve[0])
    assert curve[1:] == pytest.approx([1.0] * 41)


@pytest.mark.parametrize(
    "values",
    [[1.0], [0.0] * 30, [math.nan] * 5, [math.nan, 1.0, math.inf, 2.0], [-1e9, 1e9] * 30],
    ids=["point", "zero", "nan", "gaps", "wide"],
)
def test_any_curve_is_well_formed_and_finite(values: list[float]) -> None:
    figure = line_chart("a<b", [(float(k), value) for k, value in enumerate(values)])
    tree = ElementTree.fromstring(figure)
    paths = [path.get("d", "") for path in tree.iter("path")]
    assert not any("nan" in path or "inf" in path for path in paths)
    assert tree.findtext("figcaption/b") == "a<b"


def test_a_curve_has_a_gap_where_a_value_is_missing() -> None:
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, math.nan), (3.0, 1.0), (4.0, 2.0)]
    trend = ElementTree.fromstring(line_chart("x", points)).find(".//path[@class='trend']")
    assert trend is not None
    assert trend.get("d", "").count("M") == 2


def test_dots_have_whiskers_values_and_published_diamonds() -> None:
    dots = [
        Dot(name="iou+acc", value=0.7, low=0.6, high=0.8, published=0.613),
        Dot(name="acc", value=0.5, low=math.nan, high=math.nan),
        Dot(name="lost", value=math.nan, low=math.nan, high=math.nan),
    ]
    figure = dot_whisker("t/acc", dots)
    tree = ElementTree.fromstring(figure)
    assert len(tree.findall(".//circle")) == 2
    assert len(tree.findall(".//path[@class='whisker']")) == 1
    assert [title.text for title in tree.iter("title")] == ["published 0.613"]
    assert "nan" not in figure


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="no points"):
        line_chart("x", [])
    with pytest.raises(ValueError, match="no dots"):
        dot_whisker("x", [])


def test_an_axis_of_values_that_are_not_negative_starts_at_zero_or_above() -> None:
    zero = dot_whisker("x", [Dot(name="a", value=0.0, low=0.0, high=0.0)])
    assert ">-" not in zero
    assert ">-" in dot_whisker("x", [Dot(name="a", value=-0.5, low=-1.0, high=0.5)])


def test_plots_with_long_names_are_wide() -> None:
    assert 'class="dots"' in dot_whisker("x", [Dot(name="acc", value=1.0, low=1.0, high=1.0)])
    wide = dot_whisker("x", [Dot(name="a" * 30, value=1.0, low=1.0, high=1.0)])
    assert 'class="dots long-names"' in wide


def test_names_in_plots_are_escaped() -> None:
    evil = "<script>x()</script>"
    assert "<script" not in dot_whisker(evil, [Dot(name=evil, value=1.0, low=0.0, high=2.0)])
    assert "<script" not in line_chart(evil, [(0.0, 1.0), (1.0, 2.0)])
