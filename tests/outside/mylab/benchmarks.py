"""A benchmark with figures of its own: does the answer begin with "please"?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.evaluation.benchmarks.base import (
    Figures,
    QuestionSet,
    ScoredAttempt,
    answer_text,
    score_column,
    share,
)
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.records import Form, Provenance, Sample
from groundrl.world.graph import SceneSpec
from groundrl.world.source import SceneImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Politeness:
    """Three questions; an answer that begins with "please" is polite."""

    form: ClassVar[Form] = Form.TEXT
    figure_infos: ClassVar[FigureInfos] = {
        "polite": FigureInfo(meaning="Share of polite answers.", quoted=True, score="polite"),
        "rude": FigureInfo(
            meaning="Share of rude answers.", alarm_from=0.5, alarm="of the answers are rude"
        ),
    }

    def questions(self) -> QuestionSet:
        """Three, about drawn scenes."""
        return QuestionSet(
            samples=tuple(
                Sample(
                    id=str(index),
                    image=SceneImage(spec=SceneSpec(seed=0, index=index)),
                    question="What is this?",
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
