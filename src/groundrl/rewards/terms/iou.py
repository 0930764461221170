"""Do the boxes cover what the answer is about, all of it and nothing else?"""

from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt, score_boxes
from groundrl.boxes import match, matched_iou


@dataclass(frozen=True, slots=True)
class Iou:
    """``sum of one-to-one matched IoU / max(n_predicted, n_true)``, in [0, 1].

    Extra and missing boxes both lower it; labels are not compared. Where there is nothing to point
    at (an "exists" question about something absent): 1 for at most one box, since a "no" may point
    at what it compares, else 0. None where the true boxes are unknown. Source: ours, against the
    collapse to one easy box that the mean over predictions rewards, and against the box spam that
    recall alone rewards.
    Games it: pointing at the right objects without thinking about them.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"groundings"})
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        return score_boxes(attempt, matched_iou)

    def explain(self, attempt: Attempt) -> str:
        """See ``RewardTerm``."""
        predicted, true = attempt.predicted_boxes, attempt.sample.groundings
        if not true:
            return f"nothing to point at, {len(predicted)} boxes; one is free"
        pairs = match(predicted, [one.box for one in true])
        count = max(len(predicted), len(true))
        if not pairs:
            return f"no box meets a true one: 0 / {count} boxes"
        return f"({' + '.join(f'{pair.iou:.2f}' for pair in pairs)}) / {count} boxes"
