"""Where independent tasks are done."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

T = TypeVar("T")
R = TypeVar("R")

Start = Callable[[], AbstractContextManager[Callable[[T], Iterable[R]]]]
"""Prepares a worker, with a model on its device for example; its value does a task at a time."""


@runtime_checkable
class Engine(Protocol):
    """Does tasks of which none depends on another."""

    @property
    def task_size(self) -> int | None:
        """Items that a task should have; None: all of them."""
        ...

    def run(self, start: Start[T, R], tasks: Iterable[T]) -> Iterator[R]:
        """The results of all tasks, as soon as they are there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEngine:
    """In this process, one after the other."""

    task_size: int | None = None

    def run(self, start: Start[T, R], tasks: Iterable[T]) -> Iterator[R]:
        """In the order of the tasks."""
        with start() as work:
            for task in tasks:
                yield from work(task)
