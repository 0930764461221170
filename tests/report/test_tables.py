"""Tables as text and Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.report.tables import (
    Table,
    before_after,
    before_after_table,
    estimate,
    fit_width,
    is_headline,
    metric_names,
    number,
    to_markdown,
    to_text,
    wrap_cells,
)

METRICS = {
    "start": {"a/acc": 0.25, "a/acc_low": 0.2, "a/acc_high": 0.3, "a/n": 200, "b/score": 900},
    "grpo": {"a/acc": 0.5, "a/acc_low": 0.44, "a/acc_high": 0.56, "a/n": 200, "b/score": 850.5},
}
SMALL = Table(columns=("name", "x"), rows=(("a|b", "1.5"), ("<c>", "-12")), title="T")


def test_before_and_after_stand_side_by_side_with_their_intervals() -> None:
    assert before_after_table(METRICS, ["start", "sft", "grpo"]) == (
        "metric           start           grpo  change    n\n"
        "───────  ─────────────  ─────────────  ──────  ───\n"
        "a/acc    0.250 ± 0.050  0.500 ± 0.060  +0.250  200\n"
        "b/score          900.0          850.5  -49.50"
    )


def test_headlines_are_whole_sets_and_benchmarks_own_metrics() -> None:
    names = ["a/acc", "a/color/acc", "a/tokens", "mme/perception", "drivingvqa/exam_score"]
    assert [is_headline(name) for name in names] == [True, False, False, True, True]
    table = before_after({"grpo": dict.fromkeys(names, 1.0)}, ["grpo"], lambda n: "color" in n)
    assert table.rows == (("a/color/acc", "1.000", ""),)


def test_one_stage_has_no_change() -> None:
    assert before_after(METRICS, ["grpo"]).columns == ("metric", "grpo", "n")


def test_a_metric_that_only_one_stage_has_leaves_gaps() -> None:
    table = before_after({"start": {}, "grpo": {"a/acc": 1.0}}, ["start", "grpo"])
    assert table.rows == (("a/acc", "", "1.000", "", ""),)


def test_no_stages_make_an_empty_table() -> None:
    assert before_after_table({}, ["start"]).splitlines()[0] == "metric  n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.7344, "0.734"), (-0.0001, "0.000"), (12.3, "12.30"), (1309.34, "1309.3"), (200, "200.0")],
)
def test_numbers_have_as_many_decimals_as_they_need(value: float, text: str) -> None:
    assert number(value) == text


def test_bounds_and_counts_are_no_metrics() -> None:
    names = {"a/acc": 1.0, "a/acc_low": 0.0, "a/acc_high": 1.0, "a/n": 3.0, "a/gap_low": 0.0}
    assert metric_names([names]) == ["a/acc", "a/gap_low"]


def test_a_value_without_bounds_stands_alone() -> None:
    assert estimate({"a/acc": 0.5, "a/acc_low": 0.4}, "a/acc") == "0.500"
    assert estimate({}, "a/acc") == ""


def test_numbers_align_right_and_words_left() -> None:
    assert to_text(SMALL) == "T\nname    x\n────  ───\na|b   1.5\n<c>   -12"
    assert SMALL.numeric == (False, True)


@pytest.mark.parametrize(("width", "left_out"), [(9, ()), (8, ("x",)), (3, ("x",)), (100, ())])
def test_columns_that_do_not_fit_are_left_out(width: int, left_out: tuple[str, ...]) -> None:
    cut, heads = fit_width(SMALL, width)
    assert heads == left_out
    assert cut.columns + heads == SMALL.columns
    assert [len(row) for row in cut.rows] == [len(cut.columns)] * 2


def test_long_cells_are_wrapped() -> None:
    long = Table(columns=("claim", "x"), rows=(("boxes do more", "0.6 ± 0.2"),))
    assert wrap_cells(long, 9).rows == (("boxes do\nmore", "0.6 ± 0.2"),)


def test_markdown_escapes_bars() -> None:
    assert to_markdown(SMALL) == (
        "**T**\n\n| name | x |\n|---|---:|\n| a\\|b | 1.5 |\n| <c> | -12 |\n"
    )


def test_a_short_row_is_refused() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells under 2 columns"):
        Table(columns=("a", "b"), rows=(("1",),))


@given(st.lists(st.tuples(st.text("ab1 ", max_size=9), st.text("1.-", max_size=5)), max_size=6))
def test_text_columns_start_at_the_same_place(rows: list[tuple[str, str]]) -> None:
    lines = to_text(Table(columns=("name", "value"), rows=tuple(rows))).split("\n")
    assert len(lines) == 2 + len(rows)
    assert max(map(len, lines)) == len(lines[1])
