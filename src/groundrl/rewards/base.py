"""Reward terms and their weighted sum. A completion is parsed here, once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import Frame
from groundrl.grammar.base import Grammar
from groundrl.records import RolloutGroup, Score


@runtime_checkable
class RewardTerm(Protocol):
    """Rates one aspect of an attempt."""

    needs: ClassVar[frozenset[str]]
    """What samples must have for the term to apply to any of them: "answers", "groundings"."""

    @property
    def weight(self) -> float:
        """Factor in the sum; any real number."""
        ...

    def __call__(self, attempt: Attempt) -> float | None:
        """The unweighted value; None where the term does not apply to the sample."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardedAttempt:
    """A completion as it was read, and its reward."""

    attempt: Attempt
    score: Score


@dataclass(frozen=True, kw_only=True)
class RewardSum:
    """``R = sum(weight_k * r_k)`` over the terms that apply, not normalised; 0 when none does."""

    supplied_arguments: ClassVar[frozenset[str]] = frozenset({"grammar", "frame"})

    terms: Mapping[str, RewardTerm]
    """By the name under which each is logged."""
    grammar: Grammar
    """How boxes and answers are written in the completions."""
    frame: Frame
    """The frame of the coordinates in the completions."""

    def __call__(self, groups: Sequence[RolloutGroup]) -> list[list[RewardedAttempt]]:
        """Each completion parsed and scored, [P][G].

        Raises ValueError when a term returns NaN or infinity.
        """
        return [
            [
                self.score(read_attempt(group, completion, self.grammar, self.frame))
                for completion in group.completions
            ]
            for group in groups
        ]

    def score(self, attempt: Attempt) -> RewardedAttempt:
        """The attempt with the parts and the total of its reward; ValueError like ``__call__``."""
        parts = {name: term(attempt) for name, term in self.terms.items()}
        total = 0.0
        for name, part in parts.items():
            if part is None:
                continue
            if not math.isfinite(part):
                raise ValueError(
                    f"reward term {name} returned {part} for sample {attempt.sample.id!r} and the "
                    f"completion {attempt.completion.text[:200]!r}"
                )
            total += self.terms[name].weight * part
        return RewardedAttempt(attempt=attempt, score=Score(total=total, parts=parts))
