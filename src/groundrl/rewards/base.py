"""Completions read as attempts, and the weighted sum of the terms that judge them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, runtime_checkable

from groundrl.boxes import Box, Frame, View, convert
from groundrl.grammar.base import Grammar, Parsed
from groundrl.records import Completion, Grounding, RolloutGroup, Sample, Score

ABSENCE_KINDS = frozenset({"exists", "presence"})
"""Kinds of question where a sample without groundings says: there is nothing to point at. For any
other kind it says: the boxes are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One completion as its judges see it."""

    sample: Sample
    view: View
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
        where nobody knows."""
        if not self.sample.groundings and self.sample.kind not in ABSENCE_KINDS:
            return None
        return [grounding.box for grounding in self.sample.groundings]


@runtime_checkable
class RewardTerm(Protocol):
    """Judges one aspect of an attempt."""

    needs: ClassVar[frozenset[str]]
    """What the data must bring for the term to apply at all: "answers", "groundings"."""

    @property
    def weight(self) -> float:
        """Factor in the sum; any real number."""
        ...

    def __call__(self, attempt: Attempt) -> float | None:
        """The unweighted value; None where the term does not apply to the sample."""
        ...


@dataclass(frozen=True, kw_only=True)
class RewardSum:
    """``R = sum(weight_k * r_k)`` over the terms that apply, not normalised; 0 when none does."""

    terms: Mapping[str, RewardTerm]
    """By the name under which each is logged."""
    grammar: Grammar
    """How the completions are written."""
    frame: Frame
    """What the coordinates in the completions are measured in."""

    def __call__(self, groups: Sequence[RolloutGroup]) -> list[list[Score]]:
        """Scores [P][G]. Raises ValueError when a term returns NaN or infinity."""
        return [
            [self.score(self.attempt(group, completion)) for completion in group.completions]
            for group in groups
        ]

    def score(self, attempt: Attempt) -> Score:
        """The parts and the total of one attempt. Raises ValueError like ``__call__``."""
        parts = {name: term(attempt) for name, term in self.terms.items()}
        total = 0.0
        for name, part in parts.items():
            if part is None:
                continue
            if not math.isfinite(part):
                raise ValueError(
                    f"reward term {name} returned {part} for sample {attempt.sample.id!r} and the "
                    f"completion {attempt.completion.text[:200]!r}"
                )
            total += self.terms[name].weight * part
        return Score(total=total, parts=parts)

    def attempt(self, group: RolloutGroup, completion: Completion) -> Attempt:
        """``read_attempt`` in this reward's grammar and frame."""
        return read_attempt(group, completion, self.grammar, self.frame)


def read_attempt(
    group: RolloutGroup, completion: Completion, grammar: Grammar, frame: Frame
) -> Attempt:
    """The completion parsed, its boxes converted to PIXEL with the group's view."""
    parsed = grammar.parse(completion.text, frame)

    def to_pixel(grounding: Grounding) -> Grounding:
        return replace(grounding, box=convert(grounding.box, Frame.PIXEL, group.view))

    return Attempt(
        sample=group.sample,
        view=group.view,
        completion=completion,
        parsed=replace(
            parsed,
            reasoning=tuple(
                part if isinstance(part, str) else to_pixel(part) for part in parsed.reasoning
            ),
            groundings=tuple(to_pixel(grounding) for grounding in parsed.groundings),
        ),
    )
