"""Completions read as attempts, and the weighted sum of the terms that judge them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import Frame
from groundrl.grammar.base import Grammar
from groundrl.records import Completion, RolloutGroup, Score


@runtime_checkable
class RewardTerm(Protocol):
    """Judges one aspect of an attempt."""

    needs: ClassVar[frozenset[str]]
    """What the data must bring for the term to apply at all: "answers", "groundings"."""

    @property
    def weight(self) -> float:
        """Factor in the sum; any real number."""
        ...

    def __call__(self, attempt: Attempt) -> float | None:
        """The unweighted value; None where the term does not apply to the sample."""
        ...


@dataclass(frozen=True, kw_only=True)
class RewardSum:
    """``R = sum(weight_k * r_k)`` over the terms that apply, not normalised; 0 when none does."""

    supplied_arguments: ClassVar[frozenset[str]] = frozenset({"grammar", "frame"})

    terms: Mapping[str, RewardTerm]
    """By the name under which each is logged."""
    grammar: Grammar
    """How the completions are written."""
    frame: Frame
    """What the coordinates in the completions are measured in."""

    def __call__(self, groups: Sequence[RolloutGroup]) -> list[list[Score]]:
        """Scores [P][G]. Raises ValueError when a term returns NaN or infinity."""
        return [
            [self.score(self.attempt(group, completion)) for completion in group.completions]
            for group in groups
        ]

    def score(self, attempt: Attempt) -> Score:
        """The parts and the total of one attempt. Raises ValueError like ``__call__``."""
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
        return Score(total=total, parts=parts)

    def attempt(self, group: RolloutGroup, completion: Completion) -> Attempt:
        """``read_attempt`` in this reward's grammar and frame."""
        return read_attempt(group, completion, self.grammar, self.frame)
