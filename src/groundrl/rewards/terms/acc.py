"""Is the answer right?"""

from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import answer_f1, is_correct


@dataclass(frozen=True, slots=True)
class Acc:
    """1 if the answer names exactly the right options, else 0; None without known answers.

    With ``partial`` the F1 over the set of options, ``2 * hits / (chosen + right)``: to name one
    more than the right one is then worth 2/3. Range [0, 1]. Source: the accuracy reward of R1-style
    training, compared as a set, so that "B, C" equals "C, B"; F1 as DrivingVQA (arXiv 2501.04671)
    is scored. Options count by word or letter, numbers by their value ("three" is "3"); an open
    answer equals an accepted one.
    Games it: guessing without looking (1/n for n options); nothing makes it look at boxes. With
    ``partial``, naming every option always earns something.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"answers"})
    weight: float = 1.0
    partial: bool = False
    """Whether some of the right options are worth something."""

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        answer, sample = attempt.parsed.answer, attempt.sample
        if not sample.answers:
            return None
        return answer_f1(answer, sample) if self.partial else float(is_correct(answer, sample))
