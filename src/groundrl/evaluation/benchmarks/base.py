"""What a benchmark offers: questions, a verdict on one answer, figures of many."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise
from groundrl.evaluation.grounding import GroundingMetrics, grounded_answer
from groundrl.intervals import bootstrap, bootstrap_of_sums, wilson
from groundrl.records import Sample

Figures = dict[str, float]
"""``{name: value}``, with ``name_low`` and ``name_high`` where there is a 95 % interval."""


class Form(StrEnum):
    """What an answer looks like; prompting.py asks for it."""

    OPTIONS = "options"
    """One or more of the options shown."""
    YES_NO = "yes_no"
    TRUE_FALSE = "true_false"
    BOX = "box"
    """One box."""
    TEXT = "text"
    """Words of the model's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """What there is to ask."""

    samples: tuple[Sample, ...]
    missing: tuple[str, ...] = ()
    """Questions whose image is not there, as ``id: why``. They are counted, never asked."""
    unanswered: int = 0
    """Published questions that a file of answers lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredAttempt:
    """A question with its answer, read and judged."""

    attempt: Attempt
    scores: Mapping[str, float]
    """What the benchmark says of this answer; "correct" (0 or 1) where it can be right."""


@runtime_checkable
class Benchmark(Protocol):
    """One set of questions with its protocol."""

    form: ClassVar[Form]

    def questions(self) -> QuestionSet:
        """Reads the published files. UserError lists every missing one, and where to get it."""
        ...

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Verdict on one answer. Any text may come; none raises."""
        ...

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """The benchmark's own figures of at least one answer."""
        ...


def summary(benchmark: Benchmark, answered: Sequence[ScoredAttempt]) -> Figures:
    """The benchmark's figures, beside those of every grounded answer (``metrics.EVALUATION``)."""
    metrics = GroundingMetrics(sync_on_compute=False)  # all answers are here
    metrics.update(
        grounded_answer(
            one.attempt, None if "correct" not in one.scores else one.scores["correct"] > 0
        )
        for one in answered
    )
    own = benchmark.figures(answered)
    return own | metrics.compute() | own


def answer_text(attempt: Attempt) -> str:
    """The ``<answer>``, or the whole text of a model that writes none."""
    answer = attempt.parsed.answer
    return attempt.completion.text if answer is None else answer


def says_anything(attempt: Attempt) -> float:
    """Whether an answer in words of the model's own says anything."""
    return float(bool(normalise(answer_text(attempt))))


def score_column(answered: Sequence[ScoredAttempt], name: str) -> np.ndarray:
    """One score of every answer."""
    return np.array([one.scores[name] for one in answered], dtype=np.float64)


def image_keys(answered: Sequence[ScoredAttempt]) -> list[str]:
    """The image of every answer: those about one image are resampled together."""
    return [one.attempt.sample.image.key for one in answered]


def share(name: str, hits: np.ndarray) -> Figures:
    """A proportion of answers with Wilson's interval; nothing of nothing."""
    return wilson(int(hits.sum()), len(hits)).figures(name) if len(hits) else {}


def mean(name: str, values: np.ndarray, clusters: Sequence[str]) -> Figures:
    """A mean with its interval by bootstrap over images; nothing of nothing."""
    return bootstrap(values, clusters).figures(name) if len(values) else {}


def of_sums(
    statistics: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    parts: np.ndarray,
    clusters: Sequence[str],
) -> Figures:
    """Functions of column sums (``R k``) with intervals by bootstrap over images."""
    found: Figures = {}
    for name, statistic in statistics.items():
        found |= bootstrap_of_sums(parts, statistic, clusters).figures(name)
    return found


def ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """``over / under``, and 0 where there is nothing to divide by."""
    return np.divide(over, under, out=np.zeros_like(over, dtype=np.float64), where=under > 0)


def precision_recall_f1(
    hits: np.ndarray, predicted: np.ndarray, true: np.ndarray, clusters: Sequence[str]
) -> Figures:
    """Micro-averages: ``P = hits / predicted``, ``R = hits / true``, ``F1 = 2 P R / (P + R)``."""
    return of_sums(
        {
            "precision": lambda s: ratio(s[:, 0], s[:, 1]),
            "recall": lambda s: ratio(s[:, 0], s[:, 2]),
            "f1": lambda s: ratio(2 * s[:, 0], s[:, 1] + s[..., 2]),
        },
        np.stack([hits, predicted, true], axis=1),
        clusters,
    )


def by_kind(answered: Sequence[ScoredAttempt]) -> Figures:
    """``<kind>/acc`` where there is more than one kind of question."""
    kinds = sorted({one.attempt.sample.kind for one in answered})
    found: Figures = {}
    for kind in kinds if len(kinds) > 1 else ():
        own = [one for one in answered if one.attempt.sample.kind == kind]
        found |= share(f"{kind}/acc", score_column(own, "correct"))
    return found
