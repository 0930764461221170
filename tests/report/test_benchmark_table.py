"""Figures of an evaluation, one row per benchmark."""

import json
from pathlib import Path

from groundrl.figures import FigureInfo, read_infos, write_infos
from groundrl.report.benchmark_table import alarms, benchmark_table, interval, results
from groundrl.report.run_report import write_report
from groundrl.report.runs import read_metrics
from groundrl.report.tables import to_text

METRICS = {
    "pope_random/acc": 0.5,
    "pope_random/acc_low": 0.25,
    "pope_random/acc_high": 0.75,
    "pope_random/f1": 0.6,
    "pope_random/f1_low": 0.4,
    "pope_random/f1_high": 0.8,
    "pope_random/acc_50": 0.1,
    "pope_random/unparsed": 0.75,
    "pope_random/n": 8.0,
    "pope_random/missing": 2.0,
    "refcoco_val/acc": 0.25,
    "refcoco_val/acc_50": 0.25,
    "refcoco_val/no_box": 0.0,
    "refcoco_val/off_frame": 0.5,
    "refcoco_val/left of/acc": 1.0,
    "refcoco_val/n": 4.0,
}
INFOS = {
    "pope_random": {
        "acc": FigureInfo(meaning="Share of right answers.", quoted=True),
        "f1": FigureInfo(meaning="Harmonic mean.", quoted=True),
        "unparsed": FigureInfo(
            meaning="Share of answers that say nothing of what was asked for.",
            alarm_from=0.5,
            alarm="of the answers say nothing of what was asked for",
        ),
    },
    "refcoco_val": {
        "acc_50": FigureInfo(meaning="Share of hits.", quoted=True),
        "off_frame": FigureInfo(meaning="", alarm_from=0.1, alarm="of the boxes leave it"),
    },
}


def test_every_benchmark_is_one_row_with_what_it_is_quoted_by() -> None:
    table = benchmark_table(METRICS, INFOS)
    assert table.columns == ("benchmark", "n", "figures", "unreadable", "missing")
    assert table.rows == (
        (
            *("pope_random", "8", "acc 0.500 [0.250, 0.750]\nf1 0.600 [0.400, 0.800]"),
            *("0.750", "2"),
        ),
        ("refcoco_val", "4", "acc_50 0.250", "0.000", ""),
    )


def test_several_figures_are_several_lines_of_a_terminal() -> None:
    lines = to_text(benchmark_table(METRICS, INFOS)).splitlines()
    assert lines[2].startswith("pope_random  8  acc 0.500 [0.250, 0.750]")
    assert lines[3].strip() == "f1 0.600 [0.400, 0.800]"


def test_what_makes_figures_doubtful_is_a_warning() -> None:
    assert alarms(METRICS, INFOS) == [
        "pope_random: 75% of the answers say nothing of what was asked for",
        "pope_random: 2 of 10 published questions have no answer here; figures are "
        "over the other 8",
        "refcoco_val: 50% of the boxes leave it",
    ]
    assert alarms({"a/acc": 1.0, "a/unparsed": 0.1}, {"a": INFOS["pope_random"]}) == []


def test_the_page_warns_plots_and_explains(tmp_path: Path) -> None:
    shown = results(METRICS, INFOS)
    assert '<div class="warnings"><p>pope_random: 75%' in shown
    assert shown.count('<figure class="dots') == 2  # shares of both, kinds of one
    assert "Share of answers that say nothing of what was asked for." in shown
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS | {"time/total": 3.0}))
    assert read_metrics(tmp_path) == ({"result": METRICS}, {"total": 3.0})
    write_infos(tmp_path, INFOS)
    assert read_infos(tmp_path) == INFOS
    page = write_report(tmp_path).read_text()
    assert '<span class="chip">total 3 s</span>' in page
    assert "Harmonic mean." in page


def test_an_interval_need_not_be_symmetric() -> None:
    assert interval({"acc": 0, "acc_low": 0, "acc_high": 0.018}, "acc") == "0.000 [0.000, 0.018]"
    assert interval({}, "acc") == ""


def test_names_of_benchmarks_and_kinds_are_escaped() -> None:
    evil = "<script>x()<"
    metrics = {f"{evil}/acc": 0.5, f"{evil}/{evil}/acc": 1.0, f"{evil}/unparsed": 0.9}
    shown = results(metrics, {evil: INFOS["pope_random"]})
    assert "<script" not in shown
    assert "&lt;script&gt;x()&lt;: 90% of the answers" in shown
