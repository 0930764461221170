"""Batches the inputs of several threads for a model that is efficient on batches."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Generic, TypeVar

from groundrl.images import UnreadableImageError

T = TypeVar("T")
R = TypeVar("R")


class MicroBatcher(Generic[T, R]):
    """Runs ``call`` in one thread on batches of the inputs that threads wait for, at most ``size``
    at a time. A batch is never delayed to fill up: a single waiting input is a batch of one."""

    def __init__(self, call: Callable[[Sequence[T]], Sequence[R]], size: int) -> None:
        self._call = call
        self._size = size
        self._waiting: SimpleQueue[tuple[T, Future[R]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="model")

    def __call__(self, inputs: Sequence[T]) -> list[R]:
        """The output for each input; raises what ``call`` raises for its batch. After an
        UnreadableImageError the inputs of the batch are called one by one, so that the others get
        their outputs."""
        futures: list[Future[R]] = [Future() for _ in inputs]
        for pair in zip(inputs, futures, strict=True):
            self._waiting.put(pair)
        # The thread that holds the lock runs batches with the inputs of all threads.
        while not all(future.done() for future in futures):
            with self._lock:
                if not all(future.done() for future in futures):
                    self._run_next_batch()
        return [future.result() for future in futures]

    def _run_next_batch(self) -> None:
        batch: list[tuple[T, Future[R]]] = []
        while len(batch) < self._size and not self._waiting.empty():
            batch.append(self._waiting.get())
        if batch:
            self._run(batch)

    def _run(self, batch: list[tuple[T, Future[R]]]) -> None:
        outputs = self._worker.submit(self._call, [value for value, _ in batch])
        error = outputs.exception()  # waits
        if isinstance(error, UnreadableImageError) and len(batch) > 1:
            for item in batch:
                self._run([item])
        elif error is not None:
            for _, future in batch:
                future.set_exception(error)
        else:
            for (_, future), output in zip(batch, outputs.result(), strict=True):
                future.set_result(output)
