"""What a benchmark consists of: questions, the scoring of one answer, the figures of many."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise
from groundrl.evaluation.grounding import GroundingMetrics, summarize_answer
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.intervals import bootstrap, bootstrap_of_sums, wilson
from groundrl.records import Form, Sample

Figures = dict[str, float]
"""``{name: value}``, with ``name_low`` and ``name_high`` where there is a 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """The questions of a benchmark."""

    samples: tuple[Sample, ...]
    missing: tuple[str, ...] = ()
    """Questions without an image, as ``id: why``. They are counted and not asked."""
    unanswered: int = 0
    """Published questions that a file of answers lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredAttempt:
    """An answer with its scores."""

    attempt: Attempt
    scores: Mapping[str, float]
    """Of the benchmark for this answer; "correct" (0 or 1) where an answer can be right."""


@runtime_checkable
class Benchmark(Protocol):
    """One set of questions, how answers to them are scored, and the figures that result."""

    form: ClassVar[Form]
    figure_infos: ClassVar[FigureInfos]
    """Every figure of ``figures``, by the last part of its name, in the order of tables."""

    def questions(self) -> QuestionSet:
        """Raises UserError that lists every missing file and where to get it."""
        ...

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Scores of one answer by name. Accepts any text; never raises."""
        ...

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """Figures of at least one answer."""
        ...


UNPARSED = FigureInfo(
    meaning="Share of answers that say nothing of what was asked for.",
    alarm_from=0.5,
    alarm="of the answers say nothing of what was asked for",
)
"""Of the figure "unparsed" of many benchmarks."""


PRECISION_RECALL_F1 = {
    "f1": FigureInfo(meaning="Harmonic mean of precision and recall.", quoted=True),
    "precision": FigureInfo(meaning="Share of what was answered that is right: options, or yes."),
    "recall": FigureInfo(meaning="Share of what is right that was answered: options, or yes."),
}
"""Of ``precision_recall_f1``."""

STRICT_PRECISION_RECALL_F1 = {
    "strict_precision": FigureInfo(meaning="Precision of that reading."),
    "strict_recall": FigureInfo(meaning="Recall of that reading."),
    "strict_f1": FigureInfo(meaning="F1 of that reading."),
}
"""Of ``precision_recall_f1`` under a published protocol's reading of answers."""


def summarize(benchmark: Benchmark, answered: Sequence[ScoredAttempt]) -> Figures:
    """The benchmark's figures and those of grounding (``metrics.EVALUATION``); where both have a
    figure of one name, the benchmark's counts."""
    metrics = GroundingMetrics(sync_on_compute=False)  # all answers are here
    metrics.update(
        summarize_answer(
            one.attempt, None if "correct" not in one.scores else one.scores["correct"] > 0
        )
        for one in answered
    )
    own = benchmark.figures(answered)
    return own | metrics.compute() | own


def answer_text(attempt: Attempt) -> str:
    """The answer, with or without tags; empty where there is none, or several."""
    return attempt.parsed.answer or ""


def strict_answer_text(attempt: Attempt) -> str:
    """What published protocols read: the text inside the first ``<answer>``; the whole text where
    there is none."""
    answer = attempt.parsed.tagged_answer
    return attempt.completion.text if answer is None else answer


def has_words(attempt: Attempt) -> float:
    """1 where the answer holds a letter or a digit, else 0."""
    return float(bool(normalise(answer_text(attempt))))


def score_column(answered: Sequence[ScoredAttempt], name: str) -> np.ndarray:
    """One score of every answer."""
    return np.array([one.scores[name] for one in answered], dtype=np.float64)


def image_keys(answered: Sequence[ScoredAttempt]) -> list[str]:
    """The image of every answer: answers about one image are resampled together."""
    return [one.attempt.sample.image.key for one in answered]


def share(name: str, hits: np.ndarray) -> Figures:
    """A proportion of answers with Wilson's interval; empty without answers."""
    return wilson(int(hits.sum()), len(hits)).figures(name) if len(hits) else {}


def mean(name: str, values: np.ndarray, clusters: Sequence[str]) -> Figures:
    """A mean with its interval by bootstrap over images; empty without values."""
    return bootstrap(values, clusters).figures(name) if len(values) else {}


def figures_of_sums(
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
    """``over / under``; 0 where ``under`` is 0."""
    return np.divide(over, under, out=np.zeros_like(over, dtype=np.float64), where=under > 0)


def precision_recall_f1(
    hits: np.ndarray, predicted: np.ndarray, true: np.ndarray, clusters: Sequence[str]
) -> Figures:
    """Micro-averages: ``P = hits / predicted``, ``R = hits / true``, ``F1 = 2 P R / (P + R)``."""
    return figures_of_sums(
        {
            "precision": lambda s: ratio(s[:, 0], s[:, 1]),
            "recall": lambda s: ratio(s[:, 0], s[:, 2]),
            "f1": lambda s: ratio(2 * s[:, 0], s[:, 1] + s[..., 2]),
        },
        np.stack([hits, predicted, true], axis=1),
        clusters,
    )


def accuracy_by_kind(answered: Sequence[ScoredAttempt]) -> Figures:
    """``<kind>/acc`` where there is more than one kind of question."""
    kinds = sorted({one.attempt.sample.kind for one in answered})
    found: Figures = {}
    for kind in kinds if len(kinds) > 1 else ():
        own = [one for one in answered if one.attempt.sample.kind == kind]
        found |= share(f"{kind}/acc", score_column(own, "correct"))
    return found
