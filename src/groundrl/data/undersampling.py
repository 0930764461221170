"""Statements whose labels are biased by leaving some out ("Visual Reasoning", study 4)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from groundrl.data.datasets import SampleList
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

    ``divide_heldout``: held-out statements form two sets, "aligned", where the label is the one
    that is commoner in training, and "conflicting", where it is the other one.
    """

    keep: float = 1.0
    as_published: bool = False
    divide_heldout: bool = False

    def __post_init__(self) -> None:
        """Raises UserError for a share outside 0 .. 1."""
        if not 0 <= self.keep <= 1:
            raise UserError(
                f"undersample.keep={self.keep} is no share: type data.undersample.keep=0.6"
            )

    def __call__(self, samples: Sequence[Sample]) -> list[Sample]:
        """The statements that are kept, in their order, and then the copies."""
        rng = np.random.default_rng(SEED)
        common = self.common_labels(samples)
        kept: list[int] = []
        for relation, labels in _indices(samples).items():
            usual = labels.pop(common[relation])
            rare = next(iter(labels.values()), [])
            if self.as_published:
                kept += self._published(usual, rare)
            else:
                drawn = rng.choice(len(rare), size=int(len(rare) * self.keep), replace=False)
                kept += [*usual, *(rare[index] for index in drawn)]
        counts = sorted(Counter(kept).items())
        twice = [samples[index] for index, count in counts if count > 1]
        return [
            *(samples[index] for index, _ in counts),
            *(replace(sample, id=f"{sample.id}/again") for sample in twice),
        ]

    def common_labels(self, samples: Sequence[Sample]) -> dict[str, str]:
        """Relation -> the label of which every statement is kept."""
        rng = np.random.default_rng(SEED)
        common = {}
        for relation, labels in _indices(samples).items():
            most = max(len(found) for found in labels.values())
            tied = [label for label, found in labels.items() if len(found) == most]
            other = len(tied) > 1 and not self.as_published and rng.random() < 0.5
            common[relation] = tied[1 if other else 0]
        return common

    def heldout_sets(
        self, name: str, heldout: Sequence[Sample], train: Sequence[Sample]
    ) -> dict[str, SampleList]:
        """Held-out sets by their names: one called ``name``, or two.

        ``train``: before any of it is left out, so that runs that differ in ``keep`` hold out the
        same. Statements of relations that it lacks belong to neither of two sets. Raises UserError
        where one of them is empty.
        """
        if not self.divide_heldout:
            return {name: SampleList(tuple(heldout))}
        common = self.common_labels(train)
        known = [sample for sample in heldout if sample.kind in common]
        sets = {"aligned": _with_label(known, common, usual=True)}
        sets["conflicting"] = _with_label(known, common, usual=False)
        for kind, found in sets.items():
            if not found.samples:
                raise UserError(
                    f"none of {len(heldout)} held-out statements is {kind}, of a relation that is "
                    "trained on: hold out more of them, or type "
                    "data.undersample.divide_heldout=false"
                )
        return sets

    def _published(self, usual: list[int], rare: list[int]) -> list[int]:
        if len(rare) in (0, len(usual)):
            rare = usual  # the label found first counted as both
        if self.keep == 1:
            return usual
        size = int(len(rare) * self.keep)
        drawn = np.random.RandomState(SEED).choice(len(rare), size=size, replace=False)
        return [*usual, *(rare[index] for index in drawn)]


def _indices(samples: Sequence[Sample]) -> dict[str, dict[str, list[int]]]:
    """Relation -> label -> places of its statements."""
    relations: dict[str, dict[str, list[int]]] = {}
    for index, sample in enumerate(samples):
        labels = relations.setdefault(sample.kind, {})
        labels.setdefault(sample.answers[0], []).append(index)
    return relations


def _with_label(samples: Sequence[Sample], common: Mapping[str, str], *, usual: bool) -> SampleList:
    """Those whose label is the common one of their relation, or the others."""
    return SampleList(tuple(s for s in samples if (s.answers[0] == common[s.kind]) is usual))
