"""A completion as an attempt at its question: parsed once, its boxes in pixels of the image."""

from dataclasses import dataclass, replace

from groundrl.boxes import Box, Frame, ImageSizes, convert
from groundrl.grammar.base import Grammar, Parsed
from groundrl.records import Completion, Grounding, RolloutGroup, Sample

ABSENCE_KINDS = frozenset({"exists", "presence"})
"""Kinds of question where a sample without groundings means: there is nothing to point at. For any
other kind it means: the boxes are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One completion as its judges see it."""

    sample: Sample
    sizes: ImageSizes
    completion: Completion
    parsed: Parsed
    """Boxes in the PIXEL frame; those outside the image are kept as they are."""

    @property
    def predicted_boxes(self) -> list[Box]:
        """Every valid box of the completion, PIXEL frame, in reading order."""
        return [grounding.box for grounding in self.parsed.groundings]

    @property
    def true_boxes(self) -> list[Box] | None:
        """The boxes of a good answer, PIXEL frame: none where nothing is there to point at, None
        where they are not known."""
        if not self.sample.groundings and self.sample.kind not in ABSENCE_KINDS:
            return None
        return [grounding.box for grounding in self.sample.groundings]


def read_attempt(
    group: RolloutGroup, completion: Completion, grammar: Grammar, frame: Frame
) -> Attempt:
    """The completion parsed, its boxes converted to PIXEL with the group's sizes."""
    parsed = grammar.parse(completion.text, frame)

    def to_pixel(grounding: Grounding) -> Grounding:
        return replace(grounding, box=convert(grounding.box, Frame.PIXEL, group.sizes))

    return Attempt(
        sample=group.sample,
        sizes=group.sizes,
        completion=completion,
        parsed=replace(
            parsed,
            reasoning=tuple(
                part if isinstance(part, str) else to_pixel(part) for part in parsed.reasoning
            ),
            groundings=tuple(to_pixel(grounding) for grounding in parsed.groundings),
        ),
    )
