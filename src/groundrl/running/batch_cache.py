"""Remembers what a function of many inputs has answered."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BatchCache(Generic[K, V]):
    """The last ``size`` values by key. None, for a question without an answer, is not remembered.
    Not for several threads at once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def __call__(self, keys: Sequence[K], answer: Callable[[list[K]], Sequence[V]]) -> list[V]:
        """The value of each key; ``answer`` gets those that are not known, each once."""
        known = {key: self._values[key] for key in keys if key in self._values}
        new = [key for key in dict.fromkeys(keys) if key not in known]
        known |= zip(new, answer(new) if new else (), strict=True)
        for key in dict.fromkeys(keys):
            if known[key] is not None:
                self._values[key] = known[key]
                self._values.move_to_end(key)
        while len(self._values) > self._size:
            self._values.popitem(last=False)
        return [known[key] for key in keys]
