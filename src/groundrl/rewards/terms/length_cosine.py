"""Short where the answer is right, long where it is wrong."""

import math
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import is_correct
from groundrl.errors import UserError


@dataclass(frozen=True, slots=True)
class LengthCosine:
    """``cosine(L, L_max, r_0, r_L)`` of the length L, with one pair of ends for right answers and
    one for wrong ones; ``exceeded`` from ``L = L_max`` on. None without known answers.

    ``cosine(t, T, a, b) = b + (a - b) * (1 + cos(pi * t / T)) / 2`` falls from a at 0 to b at T.
    Range: that of the five values, here [-10, 2]. Source: the cosine reward of Demystifying Long
    Chain-of-Thought Reasoning (arXiv 2502.03373, section 4.2) with its values: a right answer had
    better be short, a wrong one better have been thought about for longer. It pays for the right
    answer itself, so it takes the place of ``acc``. Raises UserError unless max_tokens >= 1.
    Games it: as published, a wrong answer is worth more the longer it is, so that a policy that
    cannot answer fills its tokens, with repetition first: add ``repetition``.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"answers"})
    weight: float = 1.0
    max_tokens: int = 128
    """L_max: tokens, the end-of-turn token included."""
    right_short: float = 2.0
    """r_0 of a right answer."""
    right_long: float = 1.0
    """r_L of a right answer."""
    wrong_short: float = -10.0
    """r_0 of a wrong answer."""
    wrong_long: float = 0.0
    """r_L of a wrong answer."""
    exceeded: float = -10.0
    """r_e: for ``max_tokens`` or more, right or wrong."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise UserError(
                f"the reward term length_cosine has max_tokens={self.max_tokens}; expected "
                "max_tokens >= 1, such as max_tokens=128"
            )

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        if not attempt.sample.answers:
            return None
        tokens = len(attempt.completion.tokens)
        if tokens >= self.max_tokens:
            return self.exceeded
        if is_correct(attempt.parsed.answer, attempt.sample):
            return cosine(tokens / self.max_tokens, self.right_short, self.right_long)
        return cosine(tokens / self.max_tokens, self.wrong_short, self.wrong_long)


def cosine(share: float, first: float, last: float) -> float:
    """Half a cosine from ``first`` (share 0) to ``last`` (share 1)."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
