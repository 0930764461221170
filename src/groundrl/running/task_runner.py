"""Runs independent tasks: in this process, or on the workers of a Ray cluster."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
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
"""Attempts at a task whose workers are lost."""
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
    """Runs tasks on workers of a Ray cluster; those of a lost worker or node go to the others.

    Every machine needs groundrl and the files that the tasks name, at the same paths.
    """

    resource_options: ClassVar[frozenset[str]] = frozenset(
        {"address", "workers", "num_cpus", "num_gpus", "task_size"}
    )

    address: str = LOCAL
    """Address of a running cluster; "auto": the cluster that this machine belongs to; "local":
    start one on this machine."""
    workers: int = 1
    """At most; those that the cluster has no room for yet start when it has."""
    num_cpus: float = 1.0
    """CPUs of each worker."""
    num_gpus: float = 0.0
    """GPUs of each worker; with 0.5, two workers share a GPU."""
    task_size: int | None = 128
    """Items per task: the work that is lost with a worker."""

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
                num_cpus=self.num_cpus, num_gpus=self.num_gpus, max_concurrency=concurrency
            )
            pool = _WorkerPool(partial(worker.remote, factory), self.workers, concurrency)

            def run(tasks: Iterable[T]) -> Iterator[R]:
                try:
                    for results in pool.run_in_order(tasks):
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


class _Worker:
    """The actor on the cluster."""

    def __init__(self, factory: WorkerFactory[Any, Any]) -> None:
        self._factory = factory
        self._contexts = ExitStack()  # open as long as the process lives

    def set_up(self) -> None:  # not in __init__, whose errors Ray would report as a death
        self._work = self._contexts.enter_context(self._factory())

    def run(self, task: Any) -> list[Any]:
        return list(self._work(task))


@dataclass(slots=True)
class _Job:
    """What a worker has been told to do."""

    task: Any
    """None: to set itself up."""
    tries: int = 0
    """Workers that were lost while they did it."""
    results: list[Any] | None = None
    """None: not finished."""


class _WorkerPool:
    """Workers that Ray starts wherever there is room, and as soon as there is.

    A lost worker is replaced, and the others do its tasks. Ray's own retries of an actor's task do
    not serve: when a node is lost, a limited number is used up before the restart, and without a
    limit, a task that kills its workers never ends.
    """

    def __init__(self, start_worker: Callable[[], Any], workers: int, concurrency: int) -> None:
        self._start_worker = start_worker
        self._concurrency = concurrency
        self._limit = TASKS_AHEAD * workers * concurrency
        self._idle: list[Any] = []  # a worker stands here once for each of its free threads
        self._running: dict[Any, tuple[Any, _Job]] = {}  # by the reference to the result
        for _ in range(workers):
            self._set_up_worker(_Job(None))

    def run_in_order(self, tasks: Iterable[Any]) -> Iterator[list[Any]]:
        """Yield the results of each task in order."""
        source, jobs, waiting = iter(tasks), deque[_Job](), deque[_Job]()
        while not self._idle:
            self._wait()
        while True:
            free = min(len(self._idle) - len(waiting), self._limit - len(jobs))
            new = [_Job(task) for task in islice(source, max(0, free))]
            jobs += new
            waiting += new
            while waiting and self._idle:
                worker, job = self._idle.pop(), waiting.popleft()
                self._running[worker.run.remote(job.task)] = worker, job
            if not jobs:
                return
            results = jobs[0].results
            if results is None:
                waiting += self._wait()
            else:
                jobs.popleft()
                yield results

    def _set_up_worker(self, job: _Job) -> None:
        worker = self._start_worker()
        self._running[worker.set_up.remote()] = worker, job

    def _wait(self) -> list[_Job]:
        """Wait for a worker. Returns the tasks to do again: those of a worker that was lost."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        (ready,), _ = ray.wait([*self._running])
        worker, job = self._running.pop(ready)
        setting_up = job.task is None
        try:
            job.results = ray.get(ready)
        except RayTaskError:  # raised by the task itself
            raise
        except RayError:
            ray.kill(worker)  # it may only be out of reach
            self._idle = [one for one in self._idle if one is not worker]
            others = [ref for ref, (one, _) in self._running.items() if one is worker]
            lost = [job, *(self._running.pop(ref)[1] for ref in others)]
            for one in lost:
                one.tries += 1
                if one.tries == MAX_TRIES:
                    raise
            self._set_up_worker(job if setting_up else _Job(None))
            return [] if setting_up else lost
        self._idle += [worker] * (self._concurrency if setting_up else 1)
        return []
