"""The loss of an optimizer step, summed over forward passes of which one at a time is in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from torch import Tensor

from groundrl.policy.passes import ForwardPass, RowT
from groundrl.running.full_memory import Attempt, MemoryLimit

R = TypeVar("R")


class PassLosses(Generic[RowT]):
    """Yields the loss of one pass after the other; each iteration computes them anew."""

    def __init__(
        self,
        limit: MemoryLimit,
        passes: Sequence[ForwardPass[RowT]],
        compute: Callable[[ForwardPass[RowT]], tuple[Tensor, Mapping[str, Tensor]]],
    ) -> None:
        """``compute``: a pass's share of the loss, and of metrics that add up like it."""
        self.passes = passes
        self.metrics: dict[str, float] = {}
        """Sums over the passes of the last iteration."""
        self._compute = compute
        self._limit = limit
        self._attempt = Attempt(limit)

    def __len__(self) -> int:
        return len(self.passes)

    def __iter__(self) -> Iterator[Tensor]:
        self.metrics = {}
        for one in self.passes:
            self._attempt.part = one
            loss, metrics = self._compute(one)
            yield loss
            for name, value in metrics.items():
                self.metrics[name] = self.metrics.get(name, 0.0) + value.item()

    def until_they_fit(self, work: Callable[["PassLosses[RowT]"], R]) -> R:
        """``work(self)``; where memory is full, the whole of it again in smaller passes, because
        what was added up until then, such as a gradient, may hold half of a pass."""
        while True:
            self.passes = self._limit.divide(self.passes)
            with Attempt(self._limit) as self._attempt:
                return work(self)
