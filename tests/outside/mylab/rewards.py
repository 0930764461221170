"""A reward term: short completions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.config_node import ConfigNode


@dataclass(frozen=True, kw_only=True)
class Short:
    """1 for a completion of at most ``limit`` tokens, else 0.

    Games it: silence.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0
    limit: int = 8

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """A limit that no completion keeps."""
        if node.options.get("limit", 8) < 1:
            yield f"{node.path}.limit is below 1: type {node.path}.limit=8"

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        return float(len(attempt.completion.tokens) <= self.limit)
