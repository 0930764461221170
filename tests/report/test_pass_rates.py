"""The table of pass rates in the report of a run."""

from pathlib import Path

from browsing import read
from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.report.pass_rates import pass_rate_tables
from groundrl.report.run_report import write_report


def test_rates_are_those_after_a_tenth_of_the_steps_and_at_the_end() -> None:
    curves = {
        "sft": {"sft/loss": [(1.0, 2.0), (2.0, 1.0)]},
        "grpo": {
            "pass_rate/side": [(float(n), n / 100) for n in range(1, 51)],
            "pass_rate/count": [(2.0, 0.5), (4.0, 0.25), (50.0, 0.125)],
            "pass_rate/late": [(40.0, 0.5), (45.0, 1.0)],
        },
    }
    (table,) = pass_rate_tables(curves)
    assert table.title == "grpo"
    assert table.columns == ("kind", "step 5", "step 50", "change")
    assert table.rows == (
        ("count", "0.250", "0.125", "-0.125"),
        ("late", "", "1.000", ""),
        ("side", "0.050", "0.500", "+0.450"),
    )


def test_the_report_of_a_run_shows_them(run_dir: Path) -> None:
    assert "Right completions in training" not in read(write_report(run_dir)).headings
    with SummaryWriter(str(run_dir / "tensorboard" / "grpo")) as writer:
        for step in range(1, 21):
            writer.add_scalar("pass_rate/left of", step / 20, step)
    page = read(write_report(run_dir))
    headings = page.headings
    assert headings.index("Right completions in training") == headings.index("Curves") - 1
    assert "<td>left of</td>" in (run_dir / "report.html").read_text()
