"""A completion as an attempt at its question: parsed, with its boxes in pixels of the image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from groundrl.boxes import Box, Frame, ImageSizes, convert, is_inside
from groundrl.grammar.base import Grammar, Parsed
from groundrl.questions.sentences import weave
from groundrl.records import Completion, Grounding, RolloutGroup, Sample, Segments

ABSENCE_KINDS = frozenset({"exists", "presence"})
"""Kinds of question for which a sample without groundings means that there is nothing to point at.
For any other kind it means that the true boxes are unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One completion, as reward terms and metrics read it."""

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
        """The boxes of a good answer, PIXEL frame: empty where there is nothing to point at, None
        where they are unknown."""
        if not self.sample.groundings and self.sample.kind not in ABSENCE_KINDS:
            return None
        return [grounding.box for grounding in self.sample.groundings]


def answer_segments(attempt: Attempt) -> Segments:
    """The answer with its boxes, PIXEL frame, or the whole text without an answer; of a box that
    leaves the image only the phrase is kept, and nothing of one without a phrase."""
    text = attempt.completion.text
    start, stop = answer_place(attempt)
    parts: list[str | Grounding] = []
    place = start
    for (first, last), grounding in zip(
        attempt.parsed.spans, attempt.parsed.groundings, strict=True
    ):
        if start <= first and last <= stop:
            kept = grounding.label and is_inside(grounding.box, attempt.sizes)
            shown = grounding if kept else grounding.label
            parts += [text[place:first], shown]
            place = last
    return weave(*parts, text[place:stop])


def answer_place(attempt: Attempt) -> tuple[int, int]:
    """Start and end of the answer in the text; of the whole text without an answer."""
    place = attempt.parsed.answer_span
    return place if place and place[0] < place[1] else (0, len(attempt.completion.text))


def score_boxes(
    attempt: Attempt, score: Callable[[Sequence[Box], Sequence[Box]], float]
) -> float | None:
    """``score(predicted, true)``; None where the true boxes are unknown.

    Where there is nothing to point at: 1 for at most one box, else 0. A "no" may point at the one
    object that it compares with what was asked for.
    """
    true = attempt.true_boxes
    if true is None:
        return None
    return score(attempt.predicted_boxes, true) if true else float(len(attempt.predicted_boxes) < 2)


def read_attempt(
    group: RolloutGroup, completion: Completion, grammar: Grammar, frame: Frame
) -> Attempt:
    """Parse a completion and convert its boxes to the PIXEL frame with the group's image sizes."""
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
