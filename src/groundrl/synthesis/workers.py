"""What works on images: threads of one process, enough of them to keep a chat server busy."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, cast

from groundrl.detectors.base import Batched
from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.micro_batcher import MicroBatcher
from groundrl.records import Provenance
from groundrl.synthesis.annotate import AnnotationResult, Annotator, Key
from groundrl.synthesis.samples import ImageSamples, QuestionPlan, make_samples

AHEAD: Final = 4
"""Images under way or waiting to be written, per thread: one slow image holds up nobody until
so many others are done."""

Task = tuple[InputImage, Mapping[Key, Any]]
"""An image, and what is known of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerResult:
    """What a worker says of an image."""

    outcome: AnnotationResult
    written: ImageSamples | None
    """None: it is unfinished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Works on images when it is started; until then it may be sent anywhere."""

    annotator: Callable[[], Annotator]
    """Builds it, on the machine where it is needed."""
    questions: QuestionPlan
    source: Provenance
    """Of the images."""
    concurrency: int
    """Images at once."""

    @contextmanager
    def __call__(self) -> Iterator[Callable[[Iterable[Task]], Iterator[WorkerResult]]]:
        """Its value works on images and has each ``WorkerResult``, in order; threads may share it,
        and share what is at once. Raises UserError."""
        if self.concurrency < 1:
            raise UserError(
                f"concurrency={self.concurrency}: type concurrency=64, or any from 1 on"
            )
        annotator = with_micro_batching(self.annotator())

        def work(tasks: Iterable[Task]) -> Iterator[WorkerResult]:
            for outcome in annotate_all(annotator, tasks, pool, AHEAD * self.concurrency):
                made = None
                if outcome.annotated is not None:
                    made = make_samples(outcome.annotated, annotator, self.questions, self.source)
                yield WorkerResult(outcome=outcome, written=made)

        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="image") as pool:
            yield work


def annotate_all(
    annotator: Annotator, tasks: Iterable[Task], pool: ThreadPoolExecutor, most: int
) -> Iterator[AnnotationResult]:
    """The outcome of each, in order, with at most ``most`` under way or waiting for their turn.

    ``tasks`` are taken in the caller's thread, and no further ahead than there is work for. Closing
    the iterator stops the work.
    """
    source = iter(tasks)
    window: deque[Future[AnnotationResult]] = deque()
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
class _MicroBatchedRole:
    """A role whose callers, in their threads, are answered in batches."""

    role: Any
    gathered: MicroBatcher[Any, Any]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.role, name)

    def __call__(self, inputs: Any) -> Any:
        return self.gathered(inputs)


def with_micro_batching(annotator: Annotator) -> Annotator:
    """With every role that likes batches behind one queue."""

    def shared(role: Any) -> Any:
        if not isinstance(role, Batched):
            return role
        return _MicroBatchedRole(role, MicroBatcher(cast(Any, role), role.batch_size))

    return replace(
        annotator,
        detector=shared(annotator.detector),
        teacher=shared(annotator.teacher),
        verifier=shared(annotator.verifier),
    )
