"""A benchmark from outside the package: its own figures stand in the table and on the page."""

from pathlib import Path

from mylab.benchmarks import Politeness
from replies import PLAIN, replies

from groundrl.answers.record import AnswerOrigin
from groundrl.evaluation.benchmarks.base import (
    Benchmark,
)
from groundrl.evaluation.inference import prediction_line
from groundrl.evaluation.recorded import read_predictions
from groundrl.evaluation.run import Evaluation, RecordedSource


def test_figures_of_an_outside_benchmark_are_shown_with_their_meaning(tmp_path: Path) -> None:
    benchmark = Politeness()
    assert isinstance(benchmark, Benchmark)
    origin = AnswerOrigin(notation=PLAIN)
    scored = replies(
        benchmark, benchmark.questions().samples, lambda s: "please" if s.id == "0" else "no"
    )
    path = tmp_path / "recorded.jsonl"
    path.write_text("".join(prediction_line(one, "politeness", origin) for one in scored))
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    text = Evaluation(
        benchmarks={"politeness": benchmark},
        source=RecordedSource(path=path, answers=read_predictions(path, PLAIN.grammar)),
        run_dir=run_dir,
        judge=None,
        rater=None,
        labels=None,
        hparams={},
    ).run()
    assert "polite 0.333 [" in text
    assert "politeness: 67% of the answers are rude" in text
    assert text.splitlines()[-1] == str(run_dir)
    page = (run_dir / "report.html").read_text()
    assert "Share of polite answers." in page
    assert "Share of rude answers." in page
