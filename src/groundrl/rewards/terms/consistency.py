"""Does the reasoning entail the answer?"""

from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.alignment import make_case
from groundrl.answers.attempt import Attempt
from groundrl.answers.rule_judge import judge_by_rule


@dataclass(frozen=True, slots=True)
class Consistency:
    """1 if the answer follows from the reasoning by rule (``judge_by_rule``), else 0.

    Range {0, 1}. None without known answers, and where the rule cannot say: an open answer whose
    words do not stand in the reasoning may follow all the same, and whether reasoning that states
    no verdict amounts to a yes depends on the question ("I count the bowl: one." is a no to "Are
    there two bowls?"). The right answer plays no part.
    Source: the alignment of "Visual Reasoning", study 1, where a language model judged it; the
    rules are ours, made for the short reasoning of the embedded world.
    Games it: reasoning that is nothing but the answer; of a question for one option, reasoning that
    names them all; of an open question, reasoning that keeps clear of the answer. It never looks
    at the image.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"answers"})
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        if not attempt.sample.answers:
            return None
        judgement = judge_by_rule(make_case(attempt, attempt.parsed.answer or ""))
        return None if judgement is None else float(judgement.aligned)
