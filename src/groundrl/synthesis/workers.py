"""Workers that annotate images: threads of one process, enough to keep a chat server busy."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from groundrl.detectors.base import Batched
from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.records import Provenance
from groundrl.running.micro_batcher import MicroBatcher
from groundrl.synthesis.annotate import AnnotationResult, Annotator, Results
from groundrl.synthesis.samples import ImageSamples, QuestionPlan, make_samples

IMAGES_AHEAD: Final = 4
"""Images in progress or waiting to be written, per thread: while one slow image is in progress,
the other threads can finish this many."""

ImageTask = tuple[InputImage, Results]
"""An image and its cached results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerResult:
    """What a worker returns for an image."""

    annotation: AnnotationResult
    samples: ImageSamples | None
    """None: the image is skipped or unfinished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Starts a worker; it is picklable, so that a task runner can start it on another machine."""

    annotator: Callable[[], Annotator]
    """Builds the annotator on the machine of the worker."""
    questions: QuestionPlan
    source: Provenance
    """Provenance of the images."""
    concurrency: int
    """Images in progress at once."""

    @contextmanager
    def __call__(self) -> Iterator[Callable[[Iterable[ImageTask]], Iterator[WorkerResult]]]:
        """A function that annotates images and yields their results in order. Several threads may
        call it; together they work on ``concurrency`` images at once. Raises UserError."""
        if self.concurrency < 1:
            raise UserError(
                f"concurrency={self.concurrency}: type concurrency=64, or any from 1 on"
            )
        annotator = add_micro_batching(self.annotator())

        def work(tasks: Iterable[ImageTask]) -> Iterator[WorkerResult]:
            window = IMAGES_AHEAD * self.concurrency
            for annotation in annotate_in_order(annotator, tasks, pool, window):
                samples = None
                if annotation.annotated is not None:
                    samples = make_samples(
                        annotation.annotated, annotator, self.questions, self.source
                    )
                yield WorkerResult(annotation=annotation, samples=samples)

        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="image") as pool:
            yield work


def annotate_in_order(
    annotator: Annotator, tasks: Iterable[ImageTask], pool: ThreadPoolExecutor, window: int
) -> Iterator[AnnotationResult]:
    """The result of each task, in order; at most ``window`` tasks are in progress or waiting to be
    yielded.

    ``tasks`` is consumed in the caller's thread, at most ``window`` tasks ahead. Closing the
    iterator cancels the tasks that have not started.
    """
    source = iter(tasks)
    futures: deque[Future[AnnotationResult]] = deque()
    try:
        for task in islice(source, window):
            futures.append(pool.submit(annotator, *task))
        while futures:
            result = futures.popleft().result()
            for task in islice(source, 1):
                futures.append(pool.submit(annotator, *task))
            yield result
    finally:
        for future in futures:
            future.cancel()


def add_micro_batching(annotator: Annotator) -> Annotator:
    """The annotator with a micro-batcher for the calls of each component that has a
    ``batch_size``."""
    components = (annotator.detector, annotator.teacher, annotator.verifier)
    batchers = {
        id(component): MicroBatcher[Any, Any](component, component.batch_size)
        for component in components
        if isinstance(component, Batched)
    }

    def call_in_batches(model: Callable[[Any], Any], inputs: Sequence[Any]) -> Any:
        return batchers.get(id(model), model)(inputs)

    return replace(annotator, call_model=call_in_batches)
