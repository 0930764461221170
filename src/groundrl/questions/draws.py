"""Random draws, with one interface for Python's generators and for NumPy's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

T = TypeVar("T")


@runtime_checkable
class Draws(Protocol):
    """What kinds of question draw with; ``random.Random`` has all of it."""

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def randint(self, a: int, b: int, /) -> int:
        """Uniform in a .. b, both included."""
        ...

    def choice(self, seq: Sequence[T], /) -> T:
        """One item, each equally likely."""
        ...

    def sample(self, population: Sequence[T], /, k: int) -> list[T]:
        """``k`` different items in random order; ``k`` is at most their number."""
        ...


@dataclass(frozen=True, slots=True)
class NumpyDraws:
    """Draws of a NumPy generator."""

    generator: np.random.Generator

    def random(self) -> float:
        """See ``Draws``."""
        return self.generator.random()

    def randint(self, a: int, b: int, /) -> int:
        """See ``Draws``."""
        return int(self.generator.integers(a, b + 1))

    def choice(self, seq: Sequence[T], /) -> T:
        """See ``Draws``."""
        return seq[int(self.generator.integers(len(seq)))]

    def sample(self, population: Sequence[T], /, k: int) -> list[T]:
        """See ``Draws``."""
        return [population[int(i)] for i in self.generator.permutation(len(population))[:k]]


def up_to(most: int, items: Sequence[T], draws: Draws) -> list[T]:
    """At most ``most`` different items in random order."""
    return draws.sample(items, k=min(most, len(items)))
