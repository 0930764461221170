"""A penalty on repeated words."""

from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.errors import UserError


@dataclass(frozen=True, slots=True)
class Repetition:
    """``-(1 - different n-grams / n-grams)`` over the words of the text, in (-1, 0].

    Words are separated by blanks, in lower case, tags and numbers included; 0 below n + 1 words.
    Source: the repetition penalty of Demystifying Long Chain-of-Thought Reasoning (arXiv
    2502.03373), without its dependence on length. Raises UserError for n < 1.
    Games it: short texts, and rambling in ever new words.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0
    n: int = 3
    """Words per n-gram."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise UserError(f"the repetition reward has n={self.n}; expected n >= 1, such as n=3")

    def __call__(self, attempt: Attempt) -> float:
        """See the class."""
        return repetition_penalty(attempt.completion.text, self.n)


def repetition_penalty(text: str, n: int) -> float:
    """See ``Repetition``."""
    words = text.lower().split()
    grams = [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) - 1 if grams else 0.0
