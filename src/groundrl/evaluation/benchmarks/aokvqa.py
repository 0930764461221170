"""A-OKVQA (arXiv 2206.01718): questions that need knowledge of the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise
from groundrl.answers.wording import conclude
from groundrl.evaluation.benchmarks.base import (
    UNPARSED,
    Figures,
    ScoredAttempt,
    answer_text,
    has_words,
    image_keys,
    mean,
    score_column,
    share,
    strict_answer_text,
)
from groundrl.evaluation.benchmarks.choice import Choices
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.published.aokvqa import AOKVQADirectReader, AOKVQAReader

MATCHES_FOR_FULL_MARKS = 3
"""Of ten people: an answer that three gave is right (VQA's rule, as A-OKVQA uses it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQA(Choices, AOKVQAReader, PublishedBenchmark):
    """Questions that need knowledge of the world (arXiv 2206.01718); one of four options is right,
    so that ``exam_score`` is the accuracy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQADirect(AOKVQADirectReader, PublishedBenchmark):
    """The same questions without options, compared with ten people's answers by letters and
    digits; difficult questions are left out, as published."""

    figure_infos: ClassVar[FigureInfos] = {
        "score": FigureInfo(
            meaning="Mean of min(1, matches / 3) over ten people's answers.",
            quoted=True,
            score="score",
        ),
        "strict_score": FigureInfo(
            meaning="The same when an answer that holds more than its words counts as it stands."
        ),
        "unparsed": UNPARSED,
    }

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Agreement with the answers that people gave, in both readings."""
        given = [normalise(answer) for answer in attempt.sample.answers]
        said = normalise(conclude(answer_text(attempt)))
        strict = normalise(strict_answer_text(attempt))
        return {
            "score": min(1.0, given.count(said) / MATCHES_FOR_FULL_MARKS),
            "strict_score": min(1.0, given.count(strict) / MATCHES_FOR_FULL_MARKS),
            "said": has_words(attempt),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``."""
        return {
            **mean("score", score_column(answered, "score"), image_keys(answered)),
            **mean("strict_score", score_column(answered, "strict_score"), image_keys(answered)),
            **share("unparsed", 1 - score_column(answered, "said")),
        }
