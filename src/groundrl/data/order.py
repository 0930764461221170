"""Which samples each step sees: a pure function of (seed, step)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

import numpy as np
from jaxtyping import Int64

from groundrl.errors import UserError


@lru_cache(maxsize=2)
def permutation(
    size: int, seed: int, epoch: int, groups: tuple[int, ...] = ()
) -> Int64[np.ndarray, " size"]:
    """The order of one epoch: every index below ``size`` once. ``groups``: the number of the group
    of each index, from 0; groups follow each other in random order, the members of one in theirs.
    """
    # Two epochs are kept because a step may straddle them.
    rng = np.random.default_rng((seed, epoch))
    if not groups:
        return rng.permutation(size)
    rank = rng.permutation(max(groups) + 1)
    return np.argsort(rank[np.array(groups)], kind="stable")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSampler:
    """Batches of indices for a DataLoader, drawn from the concatenated epoch permutations.

    Step s takes places ``s * batch_size .. (s + 1) * batch_size - 1`` of that endless sequence, so
    every epoch holds each sample once, and starting at step k gives exactly the tail.
    """

    size: int
    """Samples in the data set."""
    batch_size: int
    """Samples of a step, over all ranks."""
    seed: int
    start_step: int = 0
    rank: int = 0
    world_size: int = 1
    groups: tuple[int, ...] = ()
    """As in ``permutation``: samples that follow each other."""

    def __post_init__(self) -> None:
        if self.size < 1 or self.batch_size < 1:
            raise UserError(
                f"a training set of {self.size} samples in steps of {self.batch_size} has no "
                "steps: both must be at least 1"
            )
        if self.batch_size % self.world_size:
            raise UserError(
                f"a step of {self.batch_size} prompts cannot be shared by {self.world_size} "
                f"processes: make prompts_per_step a multiple of {self.world_size}"
            )

    def batch(self, step: int) -> list[int]:
        """Indices of one step, all ranks."""
        places = range(step * self.batch_size, (step + 1) * self.batch_size)
        return [self.index_at(place) for place in places]

    def index_at(self, place: int) -> int:
        """The index at a place of the sequence."""
        return int(self.order_of(place // self.size)[place % self.size])

    def order_of(self, epoch: int) -> Int64[np.ndarray, " size"]:
        """Of the samples in an epoch."""
        return permutation(self.size, self.seed, epoch, self.groups)

    def __iter__(self) -> Iterator[list[int]]:
        """This rank's share of each step from ``start_step`` on, without end.

        Every ``world_size``-th sample: all shares in equal parts are the step in such parts, so
        that mini-batches do not depend on the number of ranks.
        """
        for step in count(self.start_step):
            yield self.batch(step)[self.rank :: self.world_size]
