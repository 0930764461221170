"""Statements whose labels are biased by leaving some out ("Visual Reasoning", study 4)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from groundrl.errors import UserError
from groundrl.records import Sample

SEED: Final = 42
"""As published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undersampling:
    """Of each relation (``Sample.kind``) every statement with the commoner label is kept, and a
    share ``keep`` of the others, rounded down: 1.0 keeps all, 0.0 ties labels to relations.

    Of a relation with both labels equally often a draw decides which one counts as commoner.
    ``as_published`` repeats the mistakes of the original: ``keep=1.0`` leaves out the rarer label
    altogether; where both are equally frequent, the label that comes first in the file is taken for
    the commoner and the rarer one, so that a share ``keep`` of its statements is there twice (the
    id of the copy ends with "/again") and the other label is not.
    """

    keep: float = 1.0
    as_published: bool = False

    def __post_init__(self) -> None:
        """Raises UserError for a share outside 0 .. 1."""
        if not 0 <= self.keep <= 1:
            raise UserError(
                f"undersample.keep={self.keep} is no share: type data.undersample.keep=0.6"
            )

    def __call__(self, samples: Sequence[Sample]) -> list[Sample]:
        """The statements that are kept, in their order, and then the copies."""
        relations: dict[str, dict[str, list[int]]] = {}
        for index, sample in enumerate(samples):
            labels = relations.setdefault(sample.kind, {})
            labels.setdefault(sample.answers[0], []).append(index)
        rng = np.random.default_rng(SEED)
        kept: list[int] = []
        for labels in relations.values():
            groups = list(labels.values())
            kept += self._published(groups) if self.as_published else self._kept(groups, rng)
        counts = sorted(Counter(kept).items())
        twice = [samples[index] for index, count in counts if count > 1]
        return [
            *(samples[index] for index, _ in counts),
            *(replace(sample, id=f"{sample.id}/again") for sample in twice),
        ]

    def _kept(self, groups: list[list[int]], rng: np.random.Generator) -> list[int]:
        if len(groups) == 1:
            return groups[0]
        common, rare = groups if len(groups[0]) > len(groups[1]) else reversed(groups)
        if len(common) == len(rare) and rng.random() < 0.5:
            common, rare = rare, common
        drawn = rng.choice(len(rare), size=int(len(rare) * self.keep), replace=False)
        return [*common, *(rare[index] for index in drawn)]

    def _published(self, groups: list[list[int]]) -> list[int]:
        common, rare = max(groups, key=len), min(groups, key=len)
        if self.keep == 1:
            return common
        size = int(len(rare) * self.keep)
        drawn = np.random.RandomState(SEED).choice(len(rare), size=size, replace=False)
        return [*common, *(rare[index] for index in drawn)]
