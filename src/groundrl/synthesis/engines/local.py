"""Threads of this process: enough to keep a chat server busy."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, cast

from groundrl.errors import UserError
from groundrl.gathering import Gathered
from groundrl.synthesis.annotate import Annotator, Outcome
from groundrl.synthesis.base import InBatches
from groundrl.synthesis.engines.base import Task

AHEAD: Final = 4
"""Pictures under way or waiting to be written, per thread: one slow picture holds up nobody until
so many others are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEngine:
    """``concurrency`` pictures at once; models in this process are asked in batches."""

    concurrency: int = 64

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise UserError(f"engine.concurrency={self.concurrency}: type 64, or any from 1 on")

    def __call__(self, annotator: Annotator, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """See ``Engine``."""
        shared = together(annotator)
        source = iter(tasks)
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="picture")
        window: deque[Future[Outcome]] = deque()
        try:
            for task in islice(source, AHEAD * self.concurrency):
                window.append(pool.submit(shared, *task))
            while window:
                outcome = window.popleft().result()
                for task in islice(source, 1):
                    window.append(pool.submit(shared, *task))
                yield outcome
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Together:
    """A role whose callers, in their threads, are answered in batches."""

    role: Any
    gathered: Gathered[Any, Any]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.role, name)

    def __call__(self, inputs: Any) -> Any:
        return self.gathered(inputs)


def together(annotator: Annotator) -> Annotator:
    """With every role that likes batches behind one queue."""

    def shared(role: Any) -> Any:
        if not isinstance(role, InBatches):
            return role
        return _Together(role, Gathered(cast(Any, role), role.batch_size))

    return replace(
        annotator,
        detector=shared(annotator.detector),
        teacher=shared(annotator.teacher),
        verifier=shared(annotator.verifier),
    )
