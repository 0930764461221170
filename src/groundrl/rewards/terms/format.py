"""Does the answer follow the required format?"""

from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.records import Grounding


@dataclass(frozen=True, slots=True)
class Format:
    """1 if the text is one think block, then one non-empty answer, all boxes valid; else 0.

    Where the sample has groundings, the thinking must also point at something. Range {0, 1}.
    Source: the format reward of R1-style training, extended to the boxes.
    Games it: any label with any box; it never looks where the box is.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    measures: ClassVar[frozenset[str]] = frozenset({"format"})
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float:
        """See the class."""
        return float(follows_format(attempt))

    def explain(self, attempt: Attempt) -> str:
        """See ``RewardTerm``."""
        failures = "; ".join(attempt.parsed.failures)
        return failures or ("" if follows_format(attempt) else "the thinking points at nothing")


def follows_format(attempt: Attempt) -> bool:
    """Whether the text is well-formed, and points at something where there is something."""
    points = any(isinstance(part, Grounding) for part in attempt.parsed.reasoning)
    return attempt.parsed.well_formed and (points or not attempt.sample.groundings)
