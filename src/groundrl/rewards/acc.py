"""Is the answer right?"""

from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import is_correct


@dataclass(frozen=True, slots=True)
class Acc:
    """1 if the answer names exactly the right options, else 0; None without known answers.

    Range {0, 1}. Source: the accuracy reward of R1-style training, compared as a set, so that
    "B, C" equals "C, B". Options count by word or letter; an open answer equals an accepted one.
    Games it: guessing without looking (1/n for n options); nothing makes it look at boxes.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"answers"})
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        if not attempt.sample.answers:
            return None
        return float(is_correct(attempt.parsed.answer, attempt.sample))
