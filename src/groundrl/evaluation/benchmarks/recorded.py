"""Questions of a file of recorded answers, such as the held-out answers of a training run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import is_correct
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import (
    Benchmark,
    Figures,
    QuestionSet,
    ScoredAttempt,
    accuracy_by_kind,
)
from groundrl.evaluation.recorded import RecordedAnswer
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.metrics import EVALUATION
from groundrl.records import Form, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSet:
    """One set of a file; the right answers stand in the file, too. Figures are those of training,
    and ``<kind>/acc``."""

    form: ClassVar[Form] = Form.TEXT
    figure_infos: ClassVar[FigureInfos] = {
        "acc": FigureInfo(meaning=EVALUATION["acc"], quoted=True, score="correct"),
    }
    samples: tuple[Sample, ...] = ()

    def questions(self) -> QuestionSet:
        """Raises UserError where no file was given."""
        if not self.samples:
            raise UserError(
                "benchmark=recorded takes its questions from a file of answers: type "
                "predictions=<run>/heldout_grpo.jsonl"
            )
        return QuestionSet(samples=self.samples)

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Whether the answer is right, where one is known."""
        sample = attempt.sample
        right = is_correct(attempt.parsed.answer, sample)
        return {"correct": float(right)} if sample.answers else {}

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See the class; ``metrics.EVALUATION`` comes from ``summarize``."""
        return accuracy_by_kind([one for one in answered if "correct" in one.scores])


def with_recorded_sets(
    benchmarks: Mapping[str, Benchmark], answers: Sequence[RecordedAnswer]
) -> dict[str, Benchmark]:
    """The benchmarks, a ``RecordedSet`` as one for each set that the answers name.

    Raises UserError for answers that name none.
    """
    found: dict[str, Benchmark] = {}
    for name, benchmark in benchmarks.items():
        if not isinstance(benchmark, RecordedSet):
            found[name] = benchmark
            continue
        samples: dict[str, list[Sample]] = {}
        for one in answers:
            samples.setdefault(one.set, []).append(one.group.sample)
        if "" in samples:
            raise UserError(
                f"benchmark={name} takes files of train.py and evaluate.py, which say of which set "
                "an answer is: choose the benchmark that was asked"
            )
        found |= {key: replace(benchmark, samples=tuple(own)) for key, own in samples.items()}
    return found
