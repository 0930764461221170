"""Scores groups while others are still being drawn."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from groundrl.advantages import zero_variance
from groundrl.answers.attempt import Attempt
from groundrl.records import RolloutGroup, Score
from groundrl.rewards.base import RewardSum
from groundrl.rollout.sampler import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRollout:
    """P groups of G completions with their rewards."""

    rollout: Rollout
    scores: list[list[Score]]

    @property
    def rewards(self) -> Float[Tensor, "P G"]:
        """Total rewards."""
        return torch.tensor([[score.total for score in group] for group in self.scores])

    @property
    def equal(self) -> list[bool]:
        """The groups of which nothing can be learned, since all their rewards are equal."""
        return zero_variance(self.rewards).tolist()

    @property
    def tokens(self) -> int:
        """In all completions."""
        return sum(len(c.tokens) for group in self.rollout.groups for c in group.completions)

    def attempts(self, reward: RewardSum) -> list[list[Attempt]]:
        """The parsed completions, [P][G]."""
        return [
            [reward.attempt(group, completion) for completion in group.completions]
            for group in self.rollout.groups
        ]

    def with_groups(self, places: Sequence[int], other: "ScoredRollout") -> "ScoredRollout":
        """The groups of ``other`` at ``places``, where their rewards differ."""
        groups, scores = list(self.rollout.groups), list(self.scores)
        for place, group, score, equal in zip(
            places, other.rollout.groups, other.scores, other.equal, strict=True
        ):
            if not equal:
                groups[place], scores[place] = group, score
        return ScoredRollout(rollout=replace(self.rollout, groups=tuple(groups)), scores=scores)


class Scoring:
    """One thread that scores the groups of a rollout as they come."""

    def __init__(self, reward: RewardSum) -> None:
        self._reward = reward
        self._pool = ThreadPoolExecutor(1)
        self._scores: dict[int, Future[list[list[Score]]]] = {}

    def take(self, index: int, group: RolloutGroup) -> None:
        """Score it when its turn comes; raises what the scoring of an earlier one raised."""
        for scores in self._scores.values():
            if scores.done():
                scores.result()
        self._scores[index] = self._pool.submit(self._reward, [group])

    def scores(self) -> list[list[Score]]:
        """[P][G], whatever the order in which the groups came."""
        return [self._scores[index].result()[0] for index in sorted(self._scores)]

    def __enter__(self) -> "Scoring":
        return self

    def __exit__(self, *exception: object) -> None:
        """Forget what is left to score; nobody waits for it after an exception."""
        self._pool.shutdown(wait=False, cancel_futures=True)
