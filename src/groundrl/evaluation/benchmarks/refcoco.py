"""Referring expressions: RefCOCO, RefCOCO+ and RefCOCOg (arXiv 1608.00272, 1511.02283)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.boxes import Box, iou
from groundrl.evaluation.benchmarks.base import (
    Figures,
    ScoredAttempt,
    image_keys,
    mean,
    score_column,
    share,
)
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.evaluation.grounding import HIT_IOU
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.published.refcoco import RefCOCOReader
from groundrl.records import Form, Grounding


def declared_box(attempt: Attempt) -> Box | None:
    """The one box that an answer declares, never the best of several.

    The only box outside the reasoning; without any, the only box of the reasoning; else None.
    """
    thought = [p.box for p in attempt.parsed.reasoning if isinstance(p, Grounding)]
    concluded = list((Counter(attempt.predicted_boxes) - Counter(thought)).elements())
    chosen = concluded or thought
    return chosen[0] if len(chosen) == 1 else None


class Pointing:
    """RefCOCO's protocol: the IoU of the one box that an answer declares with the true one."""

    __slots__ = ()
    form: ClassVar[Form] = Form.BOX
    figure_infos: ClassVar[FigureInfos] = {
        "acc_50": FigureInfo(
            meaning="Share of answers whose declared box has IoU >= 0.5 with the true one.",
            quoted=True,
            score="correct",
        ),
        "iou": FigureInfo(meaning="Mean IoU of the declared box; 0 without one.", score="box_iou"),
        "no_box": FigureInfo(
            meaning="Share of answers without a box where one was asked for.",
            alarm_from=0.5,
            alarm="of the answers point at nothing",
        ),
        "several_boxes": FigureInfo(meaning="Share of answers that declare no single box."),
    }

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
        """See ``figure_infos``."""
        return {
            **share("acc_50", score_column(answered, "correct")),
            **mean("iou", score_column(answered, "box_iou"), image_keys(answered)),
            **share("no_box", score_column(answered, "none")),
            **share("several_boxes", score_column(answered, "several")),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RefCOCO(Pointing, RefCOCOReader, PublishedBenchmark):
    """Where is it? One box for each expression."""
