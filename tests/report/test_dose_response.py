"""Curves of metrics against an option that is a number."""

import json
from pathlib import Path

from groundrl.intervals import t_interval
from groundrl.report.charts.dose_response import dose_curves
from groundrl.report.runs import find_runs
from groundrl.report.sweep import Study, write_sweep


def row(value: float) -> dict[str, object]:
    return {"aligned/acc": t_interval([value, value + 0.2])}


def test_rows_that_differ_in_one_number_are_a_curve() -> None:
    names = ["sft/keep=1.0", "sft/keep=0.0", "sft/keep=0.5", "grpo/keep=0.0", "grpo/keep=0.5"]
    (curve,) = dose_curves({name: row(i / 10) for i, name in enumerate(names)})  # type: ignore[arg-type]
    assert (curve.metric, curve.option, curve.setting) == ("aligned/acc", "keep", "sft")
    assert [x for x, _ in curve.points] == [0.0, 0.5, 1.0]
    assert [round(y, 6) for _, y in curve.points] == [0.2, 0.3, 0.1]
    assert "sft: aligned/acc by keep" in curve.chart


def test_rows_without_numbers_are_none() -> None:
    rows = {f"reward={name}": row(0.5) for name in ("acc", "iou", "giou")}
    assert [*dose_curves(rows)] == []  # type: ignore[arg-type]


def test_the_page_of_a_sweep_shows_curves_of_doses(tmp_path: Path) -> None:
    for keep in (0.0, 0.5, 1.0):
        run = tmp_path / f"keep={keep}/seed=0"
        run.mkdir(parents=True)
        (run / "metrics.json").write_text(json.dumps({"sft": {"aligned/acc": 0.5 + keep / 4}}))
    _, page = write_sweep(tmp_path, find_runs(tmp_path), Study(title="doses", published={}))
    assert "aligned/acc by keep" in page.read_text()
