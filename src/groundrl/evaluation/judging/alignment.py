"""Does the reasoning entail the answer? A judge reads question, reasoning and answer only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groundrl.answers.alignment import Case, Judgement, Misalignment, make_case
from groundrl.answers.attempt import Attempt
from groundrl.answers.rule_judge import judge_by_rule
from groundrl.evaluation.benchmarks.base import Figures, ScoredAttempt, answer_text, share
from groundrl.evaluation.judging.verdict_cache import Judge
from groundrl.figures import FigureInfo
from groundrl.metrics import EVALUATION


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleJudge:
    """Offline, for the embedded world's short reasoning: ``judge_by_rule``."""

    name: str = "rules 3"

    def __call__(self, cases: Sequence[Case]) -> list[Judgement | None]:
        """The verdict on each case; None where the rules cannot say."""
        return [judge_by_rule(one) for one in cases]


FLAWS = {flaw: f"flaw_{flaw.replace(' ', '_')}" for flaw in tuple(Misalignment)[1:]}
"""The figure of each kind of misalignment."""

ALIGNMENT_FIGURES = {
    name: FigureInfo(meaning=EVALUATION[name], quoted=name == "alignment")
    for name in ("alignment", "alignment_judged", *FLAWS.values())
}


def judge_reasoning(
    judge: Judge[Case, Judgement], attempts: Sequence[Attempt]
) -> list[Judgement | None]:
    """The verdict on each answer; None without reasoning or answer, which no judge is asked about,
    and where the judge was not reached or cannot say."""
    cases = [make_case(one, answer_text(one)) for one in attempts]
    found = iter(judge([one for one in cases if one.is_whole]))
    return [next(found) if one.is_whole else None for one in cases]


def alignment_figures(judgements: Sequence[Judgement | None]) -> Figures:
    """``ALIGNMENT_FIGURES`` with Wilson's intervals; without a judgement ``alignment_judged``
    alone, without an answer nothing."""
    judged = [one for one in judgements if one is not None]
    figures = share("alignment", np.array([one.aligned for one in judged]))
    figures |= share("alignment_judged", np.array([one is not None for one in judgements]))
    for flaw, name in FLAWS.items():
        figures |= share(name, np.array([one.flaw is flaw for one in judged]))
    return figures


def alignment(
    judge: Judge[Case, Judgement], answered: Sequence[ScoredAttempt]
) -> tuple[Figures, dict[str, bool]]:
    """``ALIGNMENT_FIGURES`` of the questions that have a right answer, and by id whether an answer
    to them is aligned."""
    attempts = [one.attempt for one in answered if one.attempt.sample.answers]
    found = judge_reasoning(judge, attempts)
    aligned = {
        attempt.sample.id: judgement.aligned
        for attempt, judgement in zip(attempts, found, strict=True)
        if judgement is not None
    }
    return alignment_figures(found), aligned
