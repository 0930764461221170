"""Scores groups of completions while others are still being sampled."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from groundrl.advantages import zero_variance
from groundrl.records import RolloutGroup
from groundrl.rewards.base import RewardedAttempt, RewardSum
from groundrl.rollout.sampler import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRollout:
    """P groups of G completions with their rewards."""

    rollout: Rollout
    attempts: list[list[RewardedAttempt]]
    """Each completion as it was parsed, with its score, [P][G]."""

    @property
    def rewards(self) -> Float[Tensor, "P G"]:
        """Total rewards."""
        return torch.tensor([[one.score.total for one in group] for group in self.attempts])

    @property
    def terms(self) -> Float[Tensor, "K P G"]:
        """The unweighted terms of the rewards in double precision; 0 where one does not apply."""
        parts = [[one.score.parts for one in group] for group in self.attempts]
        return torch.tensor(
            [[[part[name] or 0.0 for part in group] for group in parts] for name in parts[0][0]],
            dtype=torch.float64,
        )

    @property
    def zero_variance(self) -> list[bool]:
        """Per group, whether its rewards are all equal: such a group teaches nothing."""
        return zero_variance(self.rewards).tolist()

    @property
    def tokens(self) -> int:
        """Number of tokens in all completions."""
        return sum(len(c.tokens) for group in self.rollout.groups for c in group.completions)

    def replace_groups(self, indices: Sequence[int], other: "ScoredRollout") -> "ScoredRollout":
        """The groups at ``indices`` replaced by those of ``other``, where their rewards differ."""
        groups, attempts = list(self.rollout.groups), list(self.attempts)
        for index, group, scored, useless in zip(
            indices, other.rollout.groups, other.attempts, other.zero_variance, strict=True
        ):
            if not useless:
                groups[index], attempts[index] = group, scored
        return ScoredRollout(rollout=replace(self.rollout, groups=tuple(groups)), attempts=attempts)


class GroupScorer:
    """One thread that parses and scores the groups of a rollout as they are sampled."""

    def __init__(self, reward: RewardSum) -> None:
        self._reward = reward
        self._pool = ThreadPoolExecutor(1)
        self._futures: dict[int, Future[list[list[RewardedAttempt]]]] = {}

    def submit(self, index: int, group: RolloutGroup) -> None:
        """Queue group number ``index``; raises the error of a group that was scored before."""
        for future in self._futures.values():
            if future.done():
                future.result()
        self._futures[index] = self._pool.submit(self._reward, [group])

    def results(self) -> list[list[RewardedAttempt]]:
        """Wait for all groups; [P][G] by their numbers, in whatever order they were submitted."""
        return [self._futures[index].result()[0] for index in sorted(self._futures)]

    def __enter__(self) -> "GroupScorer":
        return self

    def __exit__(self, *exception: object) -> None:
        """Cancel what is still queued: after an exception its results are not needed."""
        self._pool.shutdown(wait=False, cancel_futures=True)
