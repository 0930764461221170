"""Multiple choice with any number of right options: DrivingVQA (arXiv 2501.04671)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import read_answer, read_exactly
from groundrl.evaluation.benchmarks.base import (
    PRECISION_RECALL_F1,
    STRICT_PRECISION_RECALL_F1,
    UNPARSED,
    Figures,
    ScoredAttempt,
    answer_text,
    image_keys,
    precision_recall_f1,
    score_column,
    share,
    strict_answer_text,
)
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.published.drivingvqa import DrivingVQAReader
from groundrl.records import Form


def chosen_options(attempt: Attempt) -> frozenset[str]:
    """The options that the answer chooses by word or letter; empty for any other answer."""
    return read_answer(answer_text(attempt), attempt.sample.options) or frozenset()


def strictly_chosen_options(attempt: Attempt) -> frozenset[str]:
    """The options that the answer in its tags consists of; empty for any other answer."""
    return read_exactly(strict_answer_text(attempt), attempt.sample.options) or frozenset()


class Choices:
    """The protocol of multiple choice with any number of right options."""

    __slots__ = ()
    form: ClassVar[Form] = Form.OPTIONS
    figure_infos: ClassVar[FigureInfos] = {
        "exam_score": FigureInfo(
            meaning="Share of questions with exactly the right options.",
            quoted=True,
            score="correct",
        ),
        **PRECISION_RECALL_F1,
        "strict_exam_score": FigureInfo(
            meaning="Exam score when an answer that holds more than options, or no tags, is wrong."
        ),
        **STRICT_PRECISION_RECALL_F1,
        "multi_acc": FigureInfo(
            meaning="Share of right answers to questions with several right options."
        ),
        "multi_n": FigureInfo(meaning="Questions with several right options."),
        "unparsed": UNPARSED,
    }

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Which options were chosen, in both readings, and which should have been."""
        picked, right = chosen_options(attempt), frozenset(attempt.sample.answers)
        strict = strictly_chosen_options(attempt)
        return {
            "correct": float(picked == right),
            "hits": float(len(picked & right)),
            "chosen": float(len(picked)),
            "strict_correct": float(strict == right),
            "strict_hits": float(len(strict & right)),
            "strict_chosen": float(len(strict)),
            "right": float(len(right)),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``; precision, recall and F1 are micro-averages over options."""
        correct, right = score_column(answered, "correct"), score_column(answered, "right")
        several, clusters = right > 1, image_keys(answered)
        lenient, strict = (
            precision_recall_f1(
                score_column(answered, f"{reading}hits"),
                score_column(answered, f"{reading}chosen"),
                right,
                clusters,
            )
            for reading in ("", "strict_")
        )
        return {
            **share("exam_score", correct),
            **lenient,
            **share("strict_exam_score", score_column(answered, "strict_correct")),
            **{f"strict_{name}": value for name, value in strict.items()},
            **share("multi_acc", correct[several]),
            "multi_n": float(several.sum()),
            **share("unparsed", score_column(answered, "chosen") == 0),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivingVQA(Choices, DrivingVQAReader, PublishedBenchmark):
    """Questions of a driving theory exam (arXiv 2501.04671): any number of options is right."""
