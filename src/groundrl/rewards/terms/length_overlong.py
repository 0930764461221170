"""A soft limit on the length of completions."""

from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.errors import UserError


@dataclass(frozen=True, slots=True)
class LengthOverlong:
    """``-clip((tokens - (max_tokens - margin)) / margin, 0, 1)``, in [-1, 0].

    0 up to ``max_tokens - margin``, then falling to -1 at ``max_tokens``. Source: soft overlong
    punishment of DAPO (arXiv 2503.14476, equation 13, L_max = 20480 and L_cache = 4096 there),
    which is added to a reward for the right answer and does not look at the answer itself. Raises
    UserError unless 1 <= margin <= max_tokens.
    Games it: empty answers, unless another term rewards content.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0
    max_tokens: int = 128
    """L_max: tokens, the end-of-turn token included, from which on the penalty is full."""
    margin: int = 32
    """L_cache: tokens below ``max_tokens`` from which on there is a penalty."""

    def __post_init__(self) -> None:
        if not 1 <= self.margin <= self.max_tokens:
            raise UserError(
                f"the reward term length_overlong has max_tokens={self.max_tokens} and "
                f"margin={self.margin}, but needs 1 <= margin <= max_tokens, for example "
                "max_tokens=128 margin=32"
            )

    def __call__(self, attempt: Attempt) -> float:
        """See the class."""
        return overlong_penalty(len(attempt.completion.tokens), self.max_tokens, self.margin)


def overlong_penalty(tokens: int, max_tokens: int, margin: int) -> float:
    """See ``LengthOverlong``."""
    return -min(max((tokens - (max_tokens - margin)) / margin, 0.0), 1.0)
