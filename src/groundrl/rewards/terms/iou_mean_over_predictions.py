"""Ablation: the published box reward that ignores missing boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.boxes import iou
from groundrl.records import Grounding


@dataclass(frozen=True, slots=True)
class IouMeanOverPredictions:
    """``sum of IoU / number of predicted labels`` over the boxes in the thinking, in [0, 1].

    0 without predictions; None where the true boxes are unknown or there are none. Source: the
    "bbox" reward of a published grounded-reasoning study on DrivingVQA and A-OKVQA with
    Qwen2.5-VL-7B.
    Games it: one easy box is worth as much as all of them, and policies do collapse to it.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"groundings"})
    gamed_by: ClassVar[frozenset[str]] = frozenset(
        {
            "a box for every option",
            "every box twice",
            "fixed grid",
            "found by search",
            "one box missing",
            "one easy box",
        }
    )
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        if not attempt.sample.groundings:
            return None
        predicted = [part for part in attempt.parsed.reasoning if isinstance(part, Grounding)]
        return mean_iou_over_predictions(predicted, attempt.sample.groundings)


def mean_iou_over_predictions(predicted: Sequence[Grounding], true: Sequence[Grounding]) -> float:
    """Mean IoU of the predicted labels: with the true box of that label if there is one, else the
    best over all true boxes. Labels in lower case; equal ones collapse to the last on both sides.
    """
    if not predicted or not true:
        return 0.0
    boxes = {grounding.label.lower(): grounding.box for grounding in predicted}
    named = {grounding.label.lower(): grounding.box for grounding in true}
    total = sum(
        iou(box, named[label])
        if label in named
        else max(iou(box, grounding.box) for grounding in true)
        for label, box in boxes.items()
    )
    return total / len(boxes)
