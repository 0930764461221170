"""An evaluation: answers to the questions of benchmarks, their judging, and the run directory."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.answers.alignment import Case, Judgement
from groundrl.answers.notation import Notation, other_frames
from groundrl.answers.record import save_images
from groundrl.evaluation.benchmarks.base import (
    Benchmark,
    Figures,
    QuestionSet,
    ScoredAttempt,
    summarize,
)
from groundrl.evaluation.grounding import GROUNDING_FIGURES, OTHER_FRAME_FIGURES
from groundrl.evaluation.inference import (
    PREDICTIONS,
    ModelSource,
    answer_questions,
    prediction_line,
    score_attempt,
)
from groundrl.evaluation.judging.alignment import ALIGNMENT_FIGURES, alignment
from groundrl.evaluation.judging.labels import LABEL_FIGURES, Labels, agreement, write_labels
from groundrl.evaluation.judging.ratings import (
    Rated,
    RatedAnswer,
    Rating,
    rate_answers,
    save_scores,
)
from groundrl.evaluation.judging.verdict_cache import Judge
from groundrl.evaluation.matching import match_recorded
from groundrl.evaluation.recorded import RecordedAnswer
from groundrl.figures import FigureInfo, FigureInfos, write_infos
from groundrl.files import write_json, write_text
from groundrl.records import NamedImage, Sample
from groundrl.report.answers.stage_answers import pick_examples, read_answers
from groundrl.report.benchmark_table import alarms, benchmark_table
from groundrl.report.run_report import write_report
from groundrl.report.tables import BOUNDS, to_text
from groundrl.report.tensorboard import log_hparams
from groundrl.running.parallel import is_first
from groundrl.running.run_time import TIMES, RunTime
from groundrl.running.task_runner import LocalRunner, TaskRunner

MISSING = "missing.txt"
ALIGNED = "aligned.jsonl"
"""In the run directory: whether the judge calls an answer aligned, in the form of labels."""

SHARED_FIGURES = {
    **GROUNDING_FIGURES,
    **OTHER_FRAME_FIGURES,
    **ALIGNMENT_FIGURES,
    **LABEL_FIGURES,
    "missing": FigureInfo(
        meaning="Published questions without an answer: their image is not there or no model takes "
        "it, or the file of answers lacks them."
    ),
}
"""Figures that any benchmark may have."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSource:
    """Answers are read from a file."""

    path: Path
    answers: Sequence[RecordedAnswer]


@dataclass(slots=True, kw_only=True)
class Evaluation:
    """Everything an evaluation needs, built but not started."""

    benchmarks: Mapping[str, Benchmark]
    source: ModelSource | RecordedSource
    run_dir: Path
    judge: Judge[Case, Judgement] | None
    """Judges whether answers follow from their reasoning; None: that is not judged."""
    rater: Judge[RatedAnswer, Rating] | None
    """Rates the answers to ``Rated`` benchmarks; None: there must be none of these."""
    labels: Labels | None
    """People's labels of the same answers."""
    runner: TaskRunner = field(default_factory=LocalRunner)
    """Starts the workers that answer questions."""
    hparams: Mapping[str, object]
    """The resolved config, for TensorBoard's HParams page."""
    times: RunTime = field(init=False)

    def __post_init__(self) -> None:
        self.times = RunTime(self.run_dir / TIMES)

    def run(self) -> str:
        """Answer, judge, write; questions that an earlier, interrupted run answered are not asked
        again. Returns the text for the terminal: the table, why figures are doubtful, the run
        directory.

        Of several processes the first alone judges and writes; the others return an empty text.
        """
        with self.times.measure("total"):
            with self.times.measure("answers"):
                answers, questions = self._answers()
            if not is_first():
                return ""
            people = self._people(answers)
            answers = rate_answers(self.benchmarks, answers, self.rater)
            figures = self._figures(answers, questions, people)
        self._write(answers, questions, figures)
        infos = self._infos()
        table = to_text(benchmark_table(figures, infos))
        return "\n".join([table, *alarms(figures, infos), str(self.run_dir)])

    def _answers(self) -> tuple[dict[str, list[ScoredAttempt]], dict[str, QuestionSet]]:
        if isinstance(self.source, ModelSource):
            return answer_questions(self.source, self.benchmarks, self.run_dir, self.runner)
        matched, questions = match_recorded(self.source.path, self.source.answers, self.benchmarks)
        answers = {
            name: [score_attempt(self.benchmarks[name], one.attempt) for one in found]
            for name, found in matched.items()
        }
        with (self.run_dir / PREDICTIONS).open("w", encoding="utf-8") as file:
            for name, found in answers.items():
                for one, recorded in zip(found, matched[name], strict=True):
                    file.write(prediction_line(one, name, recorded.origin))
        return answers, questions

    def _notation(self, name: str) -> Notation:
        """Of the answers to one benchmark."""
        if isinstance(self.source, ModelSource):
            return self.source.notation
        return next(one.origin.notation for one in self.source.answers if one.set in (name, ""))

    def _people(self, answers: Mapping[str, list[ScoredAttempt]]) -> dict[str, dict[str, bool]]:
        """People's labels of each set by id; checked before a judge is asked."""
        if self.labels is None:
            return {}
        ids = {
            name: {one.attempt.sample.id for one in found}
            for name, found in answers.items()
            if not isinstance(self.benchmarks[name], Rated)
        }
        found = self.labels.by_set(ids)
        used, given = sum(map(len, found.values())), len(self.labels.rows)
        if used < given:
            logger.warning(
                "%d of %d labels are of no answer in this run: left out", given - used, given
            )
        return found

    def _figures(
        self,
        answers: Mapping[str, list[ScoredAttempt]],
        questions: Mapping[str, QuestionSet],
        people: Mapping[str, Mapping[str, bool]],
    ) -> Figures:
        figures: Figures = {}
        judged: dict[str, dict[str, bool]] = {}
        for name, found in answers.items():
            own = summarize(self.benchmarks[name], found)
            own |= other_frames([one.attempt for one in found], self._notation(name))
            if self.judge is not None and not isinstance(self.benchmarks[name], Rated):
                aligned, judged[name] = alignment(self.judge, found)
                own |= aligned
                if name in people:
                    own |= agreement(judged[name], people[name], found)
            if missing := len(questions[name].missing) + questions[name].unanswered:
                own["missing"] = float(missing)
            figures |= {f"{name}/{key}": value for key, value in own.items()}
        if judged:
            write_labels(self.run_dir / ALIGNED, judged)
        return figures

    def _write(
        self,
        answers: Mapping[str, list[ScoredAttempt]],
        questions: Mapping[str, QuestionSet],
        figures: Figures,
    ) -> None:
        missing = [f"{name}\t{one}" for name, q in questions.items() for one in q.missing]
        if missing:
            write_text(self.run_dir / MISSING, "\n".join(missing) + "\n")
            logger.warning("%d questions are not asked: %s", len(missing), self.run_dir / MISSING)
        samples = {
            (name, one.attempt.sample.id): one.attempt.sample
            for name, found in answers.items()
            for one in found
        }
        save_scores(self.run_dir / PREDICTIONS, answers)
        self._save_images(samples)
        seconds = {f"time/{name}": value for name, value in self.times.seconds.items()}
        write_json(self.run_dir / "metrics.json", figures | seconds)
        plain = {k: v for k, v in figures.items() if not k.endswith(BOUNDS)}
        with SummaryWriter(str(self.run_dir / "tensorboard")) as writer:
            for name, value in plain.items():
                writer.add_scalar(name, value, 0)
            log_hparams(writer, self.hparams, plain)
        write_infos(self.run_dir, self._infos())
        write_report(self.run_dir)

    def _infos(self) -> dict[str, FigureInfos]:
        """What the figures of each benchmark mean; the benchmark's own words count."""
        return {
            name: {**benchmark.figure_infos, **SHARED_FIGURES, **benchmark.figure_infos}
            for name, benchmark in self.benchmarks.items()
        }

    def _save_images(self, samples: Mapping[tuple[str, str], Sample]) -> None:
        """Save the images of the answers that the report shows."""
        for _, shown in pick_examples(read_answers(self.run_dir, [])):
            sample = samples[shown.record.set, shown.record.id]
            if not isinstance(sample.image, NamedImage):
                save_images(sample, self.run_dir)
