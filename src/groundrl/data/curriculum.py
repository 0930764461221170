"""A curriculum over kinds of question: more of those that the policy answers right sometimes.

A group of completions that are all right, or all wrong, does not tell GRPO how to answer. With a
share p of right ones, two completions differ with probability 2 p (1 - p): questions are preferred
by this variance of success (sampling for learnability, arXiv 2502.12272), or those of intermediate
p are kept (online difficulty filtering, arXiv 2504.03380). Here p is measured of each kind of
question (``Sample.kind``), not of each question: a run meets a kind often, and many questions once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from groundrl.config_node import ConfigNode, too_small
from groundrl.data.order import StepSampler
from groundrl.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Completions about questions of one kind; older ones may count in part."""

    right: float = 0.0
    count: float = 0.0
    """Right and wrong ones."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(right=self.right + other.right, count=self.count + other.count)

    def __mul__(self, factor: float) -> "Tally":
        return Tally(right=self.right * factor, count=self.count * factor)


NONE: Final = Tally()


class PassRates:
    """The share of right completions of each kind, among those of the last steps.

    A completion of n steps ago counts ``(1 - 1 / memory) ** n``, so that all together weigh as much
    as those of ``memory`` steps.
    """

    def __init__(self, memory: float, kept: int) -> None:
        """``kept``: steps back to which ``after`` still answers."""
        self.steps = 0
        self._decay = 1 - 1 / memory
        self._kept = kept
        self._after: dict[int, dict[str, Tally]] = {0: {}}

    def add(self, shares: Sequence[Mapping[str, Tally]]) -> None:
        """The completions of the next step; those of every process, so that all know the same."""
        step: dict[str, Tally] = {}
        for share in shares:
            for kind, tally in share.items():
                step[kind] = step.get(kind, NONE) + tally
        known = self._after[self.steps]
        self.steps += 1
        # The step is summed first: its counts are whole numbers, in whatever shares they come.
        self._after[self.steps] = {
            kind: known.get(kind, NONE) * self._decay + step.get(kind, NONE)
            for kind in (*known, *(kind for kind in step if kind not in known))
        }
        self._after.pop(self.steps - self._kept - 1, None)

    def after(self, steps: int) -> Mapping[str, Tally]:
        """What was known after so many steps, one of the last ones. Raises KeyError."""
        return self._after[steps]

    def rate(self, kind: str) -> float:
        """Of a kind that the last step has asked."""
        tally = self._after[self.steps][kind]
        return tally.right / tally.count

    def state(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        after = {
            steps: {kind: [tally.right, tally.count] for kind, tally in tallies.items()}
            for steps, tallies in self._after.items()
        }
        return {"steps": self.steps, "after": after}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self.steps = state["steps"]
        self._after = {
            steps: {
                kind: Tally(right=right, count=count) for kind, (right, count) in tallies.items()
            }
            for steps, tallies in state["after"].items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Curriculum:
    """A sample that comes up is taken with a probability that depends on its kind k.

    ``max(floor, v_k / max_j v_j)`` with ``v = p (1 - p)`` and ``p = (right + 1) / (count + 2)``, so
    that kinds are asked in proportion to v times their share of the data. A kind that was never
    tried has p = 1/2, and what is not asked is forgotten in time; kinds without right answers are
    always taken.
    """

    floor: float = 1.0
    """Least probability with which a sample is taken, above 0; 1: all are taken, in their order."""
    memory: float = 10.0
    """Steps that ``PassRates`` remember."""
    delay: int = 4
    """Steps after which a measurement counts: later steps are being loaded already."""

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """Every kind is tried again, and no step is loaded before it can be chosen."""
        yield from too_small(node, {"memory": 1, "delay": 1})
        floor, delay = node.options.get("floor"), node.options.get("delay")
        if not isinstance(floor, int | float) or floor == 1:
            return
        if not 0 < floor < 1:
            yield f"{node.path}.floor={floor} is no probability: type {node.path}.floor=0.1"
        workers, ahead = node.value("data.num_workers"), node.value("rollout.prefetch")
        least = 1 + (workers or 0) + bool(ahead)
        if isinstance(delay, int) and delay < least:
            yield (
                f"{node.path}.delay={delay} is too short where data.num_workers={workers} processes"
                f" load steps beforehand: type {node.path}.delay={least}"
            )

    def chances(self, tallies: Mapping[str, Tally]) -> dict[str, float]:
        """Probability of each kind; of others it is 1."""
        rates = {kind: (one.right + 1) / (one.count + 2) for kind, one in tallies.items()}
        values = {kind: rate * (1 - rate) for kind, rate in rates.items()}
        most = max(values.values(), default=1.0)
        return {kind: max(self.floor, value / most) for kind, value in values.items()}


AS_THEY_COME: Final = Curriculum()


class KindOrder:
    """Which samples the steps of a run ask, by what its earlier steps have shown."""

    def __init__(self, curriculum: Curriculum, pass_rates: PassRates) -> None:
        """``pass_rates`` are those of the run; the order only reads them."""
        self.starts: dict[int, int] = {0: 0}
        """Step -> place in the order of the samples where the search for its samples begins."""
        self._curriculum = curriculum
        self._pass_rates = pass_rates

    def chances(self, step: int) -> dict[str, float]:
        """Probabilities of the kinds in a step. Raises UserError where the step is loaded before
        what they depend on is known."""
        seen = max(0, step - self._curriculum.delay)
        if seen > self._pass_rates.steps:
            raise UserError(
                f"step {step + 1} is loaded after {self._pass_rates.steps} steps, with "
                f"curriculum.delay={self._curriculum.delay}: type fewer data.num_workers, or a "
                "greater delay"
            )
        return self._curriculum.chances(self._pass_rates.after(seen))

    def passed_over(self, size: int) -> float:
        """Of the samples that came up for the last step, the share that its ``size`` samples are
        not."""
        last = self._pass_rates.steps - 1
        return 1 - size / (self.starts[last + 1] - self.starts[last])

    def state(self) -> int:
        """What a checkpoint holds, beside the pass rates."""
        return self.starts[self._pass_rates.steps]

    def restore(self, state: int) -> None:
        """Go on from a ``state``, with the pass rates of then."""
        self.starts[self._pass_rates.steps] = state


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSampler(StepSampler):
    """The order of ``StepSampler`` without the samples that a ``KindOrder`` passes over.

    Whether the sample at a place is taken is a function of (seed, place) and the probability of its
    kind. Steps must be asked for one after the other.
    """

    kind_of: Callable[[int], str]
    """Index of a sample -> its kind."""
    order: KindOrder

    def batch(self, step: int) -> list[int]:
        """Indices of one step, all ranks."""
        chances = self.order.chances(step)
        place, taken = self.order.starts[step], list[int]()
        while len(taken) < self.batch_size:
            index = self.index_at(place)
            # A seed of three numbers, so that it is never that of a permutation, which has two.
            draw = np.random.default_rng((self.seed, place, 1)).random()
            if draw < chances.get(self.kind_of(index), 1.0):
                taken.append(index)
            place += 1
        self.order.starts[step + 1] = place
        return taken
