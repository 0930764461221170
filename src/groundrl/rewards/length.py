"""A soft limit on the length of completions."""

from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.errors import UserError


@dataclass(frozen=True, slots=True)
class Length:
    """``-clip((tokens - budget) / ramp, 0, 1)``: 0 within the budget, then falling to -1.

    Range [-1, 0]. Source: soft overlong punishment of DAPO (arXiv 2503.14476). Raises UserError
    for a negative budget or a ramp without length.
    Games it: empty answers, unless another term rewards content.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0
    budget: int = 96
    """Free tokens, the end-of-turn token included."""
    ramp: int = 32
    """Tokens beyond the budget at which the penalty is full."""

    def __post_init__(self) -> None:
        if self.budget < 0 or self.ramp < 1:
            raise UserError(
                f"the length reward has budget={self.budget} and ramp={self.ramp}, but needs "
                "budget >= 0 and ramp >= 1, for example budget=96 ramp=32"
            )

    def __call__(self, attempt: Attempt) -> float:
        """See the class."""
        return length_penalty(len(attempt.completion.tokens), self.budget, self.ramp)


def length_penalty(tokens: int, budget: int, ramp: int) -> float:
    """See ``Length``."""
    return -min(max((tokens - budget) / ramp, 0.0), 1.0)
