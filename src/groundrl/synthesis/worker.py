"""What works on pictures: threads of one process, enough of them to keep a chat server busy."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, cast

from groundrl.errors import UserError
from groundrl.gathering import Gathered
from groundrl.records import Provenance
from groundrl.synthesis.annotate import Annotator, Key, Outcome
from groundrl.synthesis.base import InBatches
from groundrl.synthesis.records import Picture
from groundrl.synthesis.samples import Questions, Written, written

AHEAD: Final = 4
"""Pictures under way or waiting to be written, per thread: one slow picture holds up nobody until
so many others are done."""

Task = tuple[Picture, Mapping[Key, Any]]
"""A picture, and what is known of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a worker says of a picture."""

    outcome: Outcome
    written: Written | None
    """None: it is unfinished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Works on pictures when it is started; until then it may be sent anywhere."""

    annotator: Callable[[], Annotator]
    """Builds it, on the machine where it is needed."""
    questions: Questions
    source: Provenance
    """Of the pictures."""
    concurrency: int
    """Pictures at once."""

    @contextmanager
    def __call__(self) -> Iterator[Callable[[Iterable[Task]], Iterator[Done]]]:
        """Its value works on pictures and has each ``Done``, in order; several threads may call it,
        and share what is at once. Raises UserError."""
        if self.concurrency < 1:
            raise UserError(
                f"concurrency={self.concurrency}: type concurrency=64, or any from 1 on"
            )
        annotator = together(self.annotator())

        def work(tasks: Iterable[Task]) -> Iterator[Done]:
            for outcome in outcomes(annotator, tasks, pool, AHEAD * self.concurrency):
                made = None
                if outcome.annotated is not None:
                    made = written(outcome.annotated, annotator, self.questions, self.source)
                yield Done(outcome=outcome, written=made)

        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="picture") as pool:
            yield work


def outcomes(
    annotator: Annotator, tasks: Iterable[Task], pool: ThreadPoolExecutor, most: int
) -> Iterator[Outcome]:
    """The outcome of each, in order, with at most ``most`` under way or waiting for their turn.

    ``tasks`` are taken in the caller's thread, and no further ahead than there is work for. Closing
    the iterator stops the work.
    """
    source = iter(tasks)
    window: deque[Future[Outcome]] = deque()
    try:
        for task in islice(source, most):
            window.append(pool.submit(annotator, *task))
        while window:
            outcome = window.popleft().result()
            for task in islice(source, 1):
                window.append(pool.submit(annotator, *task))
            yield outcome
    finally:
        for future in window:
            future.cancel()


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
