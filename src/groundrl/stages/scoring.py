"""Scores groups of completions while others are still being sampled."""

import math
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue

import torch
from jaxtyping import Float
from torch import Tensor

from groundrl.advantages import zero_variance
from groundrl.answers.options import is_correct
from groundrl.data.curriculum import NONE, Tally
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
        """The unweighted terms of the rewards in double precision; NaN where one does not apply."""
        parts = [[one.score.parts for one in group] for group in self.attempts]
        values = [
            [[math.nan if part[name] is None else part[name] for part in group] for group in parts]
            for name in parts[0][0]
        ]
        return torch.tensor(values, dtype=torch.float64)

    def unanswered(self) -> dict[str, list[str]]:
        """Of each term that could not rate some of the completions, why, once for each of them."""
        reasons: dict[str, list[str]] = {}
        for group in self.attempts:
            for one in group:
                for name, reason in one.score.unanswered.items():
                    reasons.setdefault(name, []).append(reason)
        return reasons

    def tallies(self) -> dict[str, Tally]:
        """Of each kind of question that has a right answer, the completions that give it
        (``is_correct``, as the term ``acc`` pays for them), and all completions."""
        counts: dict[str, Tally] = {}
        for group in self.attempts:
            sample = group[0].attempt.sample
            if sample.answers:
                right = sum(is_correct(one.attempt.parsed.answer, sample) for one in group)
                tally = Tally(right=float(right), count=float(len(group)))
                counts[sample.kind] = counts.get(sample.kind, NONE) + tally
        return counts

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
    """One thread that parses and scores the groups of a rollout as they are sampled; groups that
    have come while it was busy are scored together."""

    def __init__(self, reward: RewardSum) -> None:
        self._reward = reward
        self._pool = ThreadPoolExecutor(1)
        self._waiting: SimpleQueue[tuple[int, RolloutGroup]] = SimpleQueue()
        self._futures: list[Future[None]] = []
        self._scored: dict[int, list[RewardedAttempt]] = {}

    def submit(self, index: int, group: RolloutGroup) -> None:
        """Queue group number ``index``; raises the error of a group that was scored before."""
        for future in self._futures:
            if future.done():
                future.result()
        self._waiting.put((index, group))
        self._futures.append(self._pool.submit(self._score_waiting))

    def results(self) -> list[list[RewardedAttempt]]:
        """Wait for all groups; [P][G] by their numbers, in whatever order they were submitted."""
        for future in self._futures:
            future.result()
        return [self._scored[index] for index in sorted(self._scored)]

    def _score_waiting(self) -> None:
        waiting: list[tuple[int, RolloutGroup]] = []
        while not self._waiting.empty():
            waiting.append(self._waiting.get())
        scored = self._reward([group for _, group in waiting]) if waiting else []
        for (index, _), attempts in zip(waiting, scored, strict=True):
            self._scored[index] = attempts

    def __enter__(self) -> "GroupScorer":
        return self

    def __exit__(self, *exception: object) -> None:
        """Cancel what is still queued: after an exception its results are not needed."""
        self._pool.shutdown(wait=False, cancel_futures=True)
