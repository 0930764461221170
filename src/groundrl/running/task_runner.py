"""Runs independent tasks: in this process, or on the workers of a Ray cluster."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from itertools import islice
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from groundrl.config_node import ConfigNode
from groundrl.errors import UserError

T = TypeVar("T")
R = TypeVar("R")

WorkerFactory = Callable[[], AbstractContextManager[Callable[[T], Iterable[R]]]]
"""Sets up a worker, for example with a model on its device; the value of the context manager does
one task and returns its results."""
LOCAL = "local"
MAX_TRIES = 4
"""Attempts at a task whose workers are killed."""
TASKS_AHEAD = 4
"""Tasks per thread that are running, or finished before an earlier task is: so many other tasks
can overtake a slow one."""


@runtime_checkable
class TaskRunner(Protocol):
    """Runs tasks that do not depend on each other."""

    @property
    def task_size(self) -> int | None:
        """Number of items that a task should have; None: all of them in one task."""
        ...

    def start_workers(
        self, factory: WorkerFactory[T, R], concurrency: int = 1
    ) -> AbstractContextManager[Callable[[Iterable[T]], Iterator[R]]]:
        """Workers that live as long as the context is open. Its value takes tasks and yields the
        results of all of them in order; it reads the next task only when a worker is free. It can
        be called several times and uses the same workers.

        ``concurrency``: tasks at a time per worker, each in a thread of its own.
        """
        ...


def split_into_tasks(items: Iterable[T], runner: TaskRunner) -> Iterator[Iterable[T]]:
    """Tasks of ``runner.task_size`` items; a task of all items reads them as they are used."""
    source = iter(items)
    if runner.task_size is None:
        yield source
        return
    while task := [*islice(source, runner.task_size)]:
        yield task


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRunner:
    """Runs tasks in this process, one after the other."""

    task_size: int | None = None

    @contextmanager
    def start_workers(
        self, factory: WorkerFactory[T, R], concurrency: int = 1
    ) -> Iterator[Callable[[Iterable[T]], Iterator[R]]]:
        """See ``TaskRunner``."""
        with factory() as work, ExitStack() as cleanup:

            def run(tasks: Iterable[T]) -> Iterator[R]:
                results = (result for task in tasks for result in work(task))
                cleanup.callback(results.close)  # tasks that are left are not run
                return results

            yield run


@dataclass(frozen=True, slots=True, kw_only=True)
class RayRunner:
    """Runs tasks on workers of a Ray cluster; tasks of a worker that is killed go to another.

    Every machine needs groundrl and the files that the tasks name, at the same paths.
    """

    resource_options: ClassVar[frozenset[str]] = frozenset(
        {"address", "workers", "num_cpus", "num_gpus", "task_size"}
    )

    address: str = LOCAL
    """Address of a running cluster; "auto": the cluster that this machine belongs to; "local":
    start one on this machine."""
    workers: int = 1
    num_cpus: float = 1.0
    """CPUs of each worker."""
    num_gpus: float = 0.0
    """GPUs of each worker; with 0.5, two workers share a GPU."""
    task_size: int | None = 128
    """Items per task: the work that is lost when a worker is killed."""

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """Ray is missing, or something does not work in several processes."""
        if find_spec("ray") is None:
            yield (
                "runner=ray needs Ray, which is not installed: type pip install 'groundrl[ray]', "
                "or runner=local"
            )
        if node.value("trainer.devices") not in (None, 1):
            yield (
                "runner=ray has workers of one device each: type trainer.devices=1 and "
                "runner.workers=<number>"
            )
        for role in ("teacher", "verifier"):
            for path, budget in node.named("budget", role):
                if budget is not None:
                    yield (
                        f"{path}={budget} is not watched over by the workers of runner=ray "
                        f"together: type {path}=null, or runner=local, which keeps any server busy"
                    )

    def __post_init__(self) -> None:
        for name, number in (("workers", self.workers), ("task_size", self.task_size)):
            if number is not None and number < 1:
                raise UserError(f"runner.{name}={number}: type runner.{name}=1, or more")

    @contextmanager
    def start_workers(
        self, factory: WorkerFactory[T, R], concurrency: int = 1
    ) -> Iterator[Callable[[Iterable[T]], Iterator[R]]]:
        """See ``TaskRunner``. Raises the UserError of a worker."""
        import ray
        from ray.exceptions import RayTaskError

        with self._cluster():
            worker: Any = ray.remote(_Worker).options(
                num_cpus=self.num_cpus,
                num_gpus=self.num_gpus,
                max_restarts=-1,
                max_task_retries=MAX_TRIES - 1,
                max_concurrency=concurrency,
            )
            workers = [worker.remote(factory) for _ in range(self.workers)]

            def run(tasks: Iterable[T]) -> Iterator[R]:
                try:
                    for results in _run_in_order(workers * concurrency, tasks):
                        yield from results
                except RayTaskError as error:
                    if isinstance(error.cause, UserError):
                        raise error.cause from None
                    raise

            yield run

    @contextmanager
    def _cluster(self) -> Iterator[None]:
        import ray

        own = self.address == LOCAL
        try:
            ray.init(
                address=self.address,
                include_dashboard=False if own else None,
                log_to_driver=False,
                logging_level=logging.WARNING,
            )
        except ConnectionError as error:
            raise UserError(
                f"runner.address={self.address} is no Ray cluster that answers: {error}. Type "
                "runner.address=<host>:<port>, or runner.address=local to start one here"
            ) from error
        try:
            resources = ray.cluster_resources()
            for name, each in (("CPU", self.num_cpus), ("GPU", self.num_gpus)):
                # Clusters of other machines may grow.
                if own and each * self.workers > resources.get(name, 0):
                    raise UserError(
                        f"runner.workers={self.workers} with runner.num_{name.lower()}s={each} "
                        f"each need more than the {resources.get(name, 0):g} {name}s of this "
                        "machine: lower one of the two"
                    )
            yield
        finally:
            ray.shutdown()


def _run_in_order(idle: list[Any], tasks: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield the results of each task in order. ``idle``: free workers; one that is listed twice
    runs two tasks at a time."""
    import ray

    source, limit = iter(tasks), TASKS_AHEAD * len(idle)
    running: dict[Any, Any] = {}
    results: deque[Any] = deque()
    while True:
        for task in islice(source, min(len(idle), limit - len(results))):
            worker = idle.pop()
            results.append(worker.run.remote(task))
            running[results[-1]] = worker
        if not results:
            return
        if results[0] not in running:
            yield ray.get(results.popleft())
            continue
        ready, _ = ray.wait([*running], num_returns=1)
        idle += [running.pop(result) for result in ready]


class _Worker:
    def __init__(self, factory: WorkerFactory[Any, Any]) -> None:
        self._factory = factory
        self._lock = threading.Lock()
        self._contexts = ExitStack()  # open as long as the process lives

    @cached_property  # not in __init__, whose errors Ray would report as the death of a worker
    def _work(self) -> Callable[[Any], Iterable[Any]]:
        return self._contexts.enter_context(self._factory())

    def run(self, task: Any) -> list[Any]:
        with self._lock:  # one thread sets the worker up
            work = self._work
        return list(work(task))
