"""Threads that each ask for a little, put together for a model that answers much at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Generic, TypeVar

from groundrl.images import UnreadableImageError

T = TypeVar("T")
R = TypeVar("R")


class MicroBatcher(Generic[T, R]):
    """``call`` in one thread: inputs that wait are put to it together, at most ``size`` of
    them. Nobody waits for company: alone, an input is answered alone."""

    def __init__(self, call: Callable[[Sequence[T]], Sequence[R]], size: int) -> None:
        self._call = call
        self._size = size
        self._waiting: SimpleQueue[tuple[T, Future[R]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="model")

    def __call__(self, inputs: Sequence[T]) -> list[R]:
        """The answer to each; raises what ``call`` raises for its batch. Of a batch with an
        unreadable image each is asked alone, so that the others have their answers."""
        futures: list[Future[R]] = [Future() for _ in inputs]
        for pair in zip(inputs, futures, strict=True):
            self._waiting.put(pair)
        # Whoever gets the lock works for all who wait.
        while not all(future.done() for future in futures):
            with self._lock:
                if not all(future.done() for future in futures):
                    self._answer_some()
        return [future.result() for future in futures]

    def _answer_some(self) -> None:
        batch: list[tuple[T, Future[R]]] = []
        while len(batch) < self._size and not self._waiting.empty():
            batch.append(self._waiting.get())
        if not batch:
            return
        self._answer(batch)

    def _answer(self, batch: list[tuple[T, Future[R]]]) -> None:
        answers = self._worker.submit(self._call, [value for value, _ in batch])
        error = answers.exception()  # waits
        if isinstance(error, UnreadableImageError) and len(batch) > 1:
            for one in batch:
                self._answer([one])
        elif error is not None:
            for _, future in batch:
                future.set_exception(error)
        else:
            for (_, future), answer in zip(batch, answers.result(), strict=True):
                future.set_result(answer)
