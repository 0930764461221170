"""Scores groups while others are still being drawn."""

from concurrent.futures import Future, ThreadPoolExecutor

from groundrl.records import RolloutGroup, Score
from groundrl.rewards.base import RewardSum


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
