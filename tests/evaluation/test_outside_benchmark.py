"""A benchmark from outside the package: its own figures stand in the table and on the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from replies import PLAIN, replies

from groundrl.answers.attempt import Attempt
from groundrl.answers.record import AnswerOrigin
from groundrl.evaluation.benchmarks.base import (
    Benchmark,
    Figures,
    Form,
    QuestionSet,
    ScoredAttempt,
    answer_text,
    score_column,
    share,
)
from groundrl.evaluation.inference import prediction_line
from groundrl.evaluation.recorded import read_predictions
from groundrl.evaluation.run import Evaluation, RecordedSource
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.records import NamedImage, Provenance, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Politeness:
    """Does the answer begin with "please"?"""

    form: ClassVar[Form] = Form.TEXT
    figure_infos: ClassVar[FigureInfos] = {
        "polite": FigureInfo(meaning="Share of polite answers.", quoted=True, score="polite"),
        "rude": FigureInfo(
            meaning="Share of rude answers.", alarm_from=0.5, alarm="of the answers are rude"
        ),
    }

    def questions(self) -> QuestionSet:
        """Three."""
        return QuestionSet(
            samples=tuple(
                Sample(
                    id=str(index),
                    image=NamedImage(key=str(index), width=8, height=6),
                    question=f"What is {index}?",
                    answers=("please",),
                    provenance=Provenance(dataset="politeness", split="test"),
                )
                for index in range(3)
            )
        )

    def score(self, attempt: Attempt) -> dict[str, float]:
        """1 or 0."""
        return {"polite": float(answer_text(attempt).startswith("please"))}

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``."""
        polite = score_column(answered, "polite")
        return {**share("polite", polite), **share("rude", 1 - polite)}


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
