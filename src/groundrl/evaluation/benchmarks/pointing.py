"""Referring expressions: RefCOCO, RefCOCO+ and RefCOCOg (arXiv 1608.00272, 1511.02283)."""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.boxes import Box, iou
from groundrl.evaluation.benchmarks.base import (
    Figures,
    Form,
    ScoredAttempt,
    image_keys,
    mean,
    score_column,
    share,
)
from groundrl.evaluation.grounding import HIT_IOU
from groundrl.records import Grounding


def declared_box(attempt: Attempt) -> Box | None:
    """The one box that an answer declares, never the best of several.

    The only box outside the reasoning; without any, the only box of the reasoning; else None.
    """
    thought = [p.box for p in attempt.parsed.reasoning if isinstance(p, Grounding)]
    concluded = list((Counter(attempt.predicted_boxes) - Counter(thought)).elements())
    chosen = concluded or thought
    return chosen[0] if len(chosen) == 1 else None


class Pointing:
    """What benchmarks of referring expressions have in common.

    Of declared boxes: ``acc_50``, share with IoU >= 0.5, and ``iou``; shares of answers that
    declare none: ``no_box``, ``several_boxes``.
    """

    __slots__ = ()
    form: ClassVar[Form] = Form.BOX

    def score(self, attempt: Attempt) -> dict[str, float]:
        """IoU of the declared box with the true one; 0 without a declared box."""
        box = declared_box(attempt)
        value = 0.0 if box is None else iou(box, attempt.sample.groundings[0].box)
        return {
            "correct": float(value >= HIT_IOU),
            "box_iou": value,
            "none": float(not attempt.predicted_boxes),
            "several": float(box is None and bool(attempt.predicted_boxes)),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See the class."""
        return {
            **share("acc_50", score_column(answered, "correct")),
            **mean("iou", score_column(answered, "box_iou"), image_keys(answered)),
            **share("no_box", score_column(answered, "none")),
            **share("several_boxes", score_column(answered, "several")),
        }
