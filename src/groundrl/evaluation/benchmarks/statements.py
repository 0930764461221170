"""Is the statement true of the image? VSR (arXiv 2205.00363) and SpatialSense (1908.02660)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise
from groundrl.answers.yes_no import YES_NO_WORDS, read_yes_no
from groundrl.evaluation.benchmarks.base import (
    UNPARSED,
    Figures,
    ScoredAttempt,
    accuracy_by_kind,
    answer_text,
    score_column,
    share,
    strict_answer_text,
)
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.published.spatialsense import SpatialSenseReader
from groundrl.published.vsr import VSRReader
from groundrl.records import Form


class Statements:
    """The protocol of statements that are true or false."""

    __slots__ = ()
    form: ClassVar[Form] = Form.TRUE_FALSE
    figure_infos: ClassVar[FigureInfos] = {
        "acc": FigureInfo(meaning="Share of right answers.", quoted=True, score="correct"),
        "strict_acc": FigureInfo(
            meaning="Accuracy when any answer but the one word, in its tags, is wrong."
        ),
        "true_ratio": FigureInfo(meaning="Share of true among the answers."),
        "unparsed": UNPARSED,
    }

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Both readings; what is neither true nor false (yes nor no) is wrong. Strictly the whole
        answer is one of these words, compared by letters and digits."""
        found = read_yes_no(answer_text(attempt))
        strict = YES_NO_WORDS.get(normalise(strict_answer_text(attempt)))
        right = YES_NO_WORDS[attempt.sample.answers[0]]
        return {
            "correct": float(found is right),
            "strict_correct": float(strict is right),
            "true": float(found is True),
            "parsed": float(found is not None),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``; accuracy also by relation."""
        return {
            **share("acc", score_column(answered, "correct")),
            **share("strict_acc", score_column(answered, "strict_correct")),
            **share("true_ratio", score_column(answered, "true")),
            **share("unparsed", 1 - score_column(answered, "parsed")),
            **accuracy_by_kind(answered),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VSR(Statements, VSRReader, PublishedBenchmark):
    """Visual Spatial Reasoning: a caption with one spatial relation, true or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialSense(Statements, SpatialSenseReader, PublishedBenchmark):
    """Adversarially collected relations, true or false, with the boxes of both objects."""
