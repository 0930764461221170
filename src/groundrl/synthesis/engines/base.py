"""How pictures are shared out."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from groundrl.synthesis.annotate import Annotator, Key, Outcome
from groundrl.synthesis.records import Picture

Task = tuple[Picture, Mapping[Key, Any]]
"""A picture, and what is known of it."""


@runtime_checkable
class Engine(Protocol):
    """Runs the annotator on many pictures at once."""

    def __call__(self, annotator: Annotator, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """The outcome of each, in order. ``tasks`` are taken in the caller's thread, and no further
        ahead than the engine has work for. Closing the iterator stops the work."""
        ...
