"""Does the reasoning entail the answer? A judge reads question, reasoning and answer only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groundrl.answers.alignment import Case, Judgement, Misalignment, judge_by_rule, make_case
from groundrl.evaluation.benchmarks.base import Figures, ScoredAttempt, answer_text, share
from groundrl.evaluation.judging.verdict_cache import Judge
from groundrl.figures import FigureInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleJudge:
    """Offline, for the embedded world's short reasoning: ``judge_by_rule``."""

    name: str = "rules 2"

    def __call__(self, cases: Sequence[Case]) -> list[Judgement | None]:
        """The verdict on each case."""
        return [judge_by_rule(one) for one in cases]


ALIGNMENT_FIGURES = {
    "alignment": FigureInfo(
        meaning="Share of judged answers that follow from their reasoning.", quoted=True
    ),
    "flaw_contradiction": FigureInfo(
        meaning="Share of judged answers whose reasoning says the opposite."
    ),
    "flaw_missing_detail": FigureInfo(
        meaning="Share of judged answers whose reasoning does not go far enough."
    ),
    "flaw_irrelevant": FigureInfo(
        meaning="Share of judged answers whose reasoning is about something else."
    ),
    "flaw_other": FigureInfo(
        meaning="Share of judged answers that do not follow for another reason."
    ),
    "unjudged": FigureInfo(meaning="Answers for which the judge was not reached."),
}


def alignment(
    judge: Judge[Case, Judgement], answered: Sequence[ScoredAttempt]
) -> tuple[Figures, dict[str, bool]]:
    """``ALIGNMENT_FIGURES``, and by id whether an answer is aligned."""
    found = judge([make_case(one.attempt, answer_text(one.attempt)) for one in answered])
    judged = {
        one.attempt.sample.id: judgement
        for one, judgement in zip(answered, found, strict=True)
        if judgement is not None
    }
    figures = share("alignment", np.array([one.aligned for one in judged.values()]))
    for flaw in tuple(Misalignment)[1:] if judged else ():
        hits = np.array([one.flaw is flaw for one in judged.values()])
        figures |= share(f"flaw_{flaw.replace(' ', '_')}", hits)
    if len(judged) < len(found):
        figures["unjudged"] = float(len(found) - len(judged))
    return figures, {name: one.aligned for name, one in judged.items()}
