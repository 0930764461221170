"""Does the reasoning entail the answer, as a language model judges it?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from groundrl.answers.alignment import Case, Judgement, make_case
from groundrl.answers.attempt import Attempt
from groundrl.rewards.base import Rating, Unanswered
from groundrl.running.batch_cache import BatchCache

REMEMBERED: Final = 100_000
"""Cases."""


@dataclass(frozen=True, kw_only=True)
class JudgedConsistency:
    """1 if a judge finds that a reader who believes the reasoning arrives at the answer, else 0.

    The judge sees question, options, reasoning and answer, never the image. Range {0, 1}. None
    without known answers; a completion without reasoning or without an answer gets 0 unasked.
    Source: the alignment of "Visual Reasoning", study 1. Games it: reasoning that talks the judge
    into its answer, such as the answer and nothing else; it says nothing of the image.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"answers"})
    judge: Callable[[Sequence[Case]], Sequence[Judgement | None]]
    """An option of ``conf/judge``; None: it was not reached."""
    weight: float = 1.0
    _judged: BatchCache[Case, Judgement | None] = field(
        default_factory=lambda: BatchCache(REMEMBERED), init=False, repr=False, compare=False
    )

    def rate(self, attempts: Sequence[Attempt]) -> list[Rating | Unanswered | None]:
        """See the class."""
        cases = [make_case(one, one.parsed.answer or "") for one in attempts]
        asked = [
            bool(attempt.sample.answers) and case.is_whole
            for attempt, case in zip(attempts, cases, strict=True)
        ]
        wanted = [case for case, ask in zip(cases, asked, strict=True) if ask]
        judged = iter(self._judged(wanted, self.judge))
        return [
            _rating(next(judged)) if ask else Rating(value=0.0) if one.sample.answers else None
            for one, ask in zip(attempts, asked, strict=True)
        ]


def _rating(judgement: Judgement | None) -> Rating | Unanswered:
    if judgement is None:
        return Unanswered(reason="the judge was not reached")
    return Rating(value=float(judgement.aligned))
