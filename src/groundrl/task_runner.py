"""Where independent tasks are done: in this process, or by the workers of a Ray cluster."""

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

StartWorker = Callable[[], AbstractContextManager[Callable[[T], Iterable[R]]]]
"""Prepares a worker, with a model on its device for example; its value does a task at a time."""
LOCAL = "local"
MAX_TRIES = 4
"""Of a task whose workers are killed."""
TASKS_AHEAD = 4
"""Tasks under way or done before their turn, per place: so many others pass a slow one."""


@runtime_checkable
class TaskRunner(Protocol):
    """Does tasks of which none depends on another."""

    @property
    def task_size(self) -> int | None:
        """Items that a task should have; None: all of them."""
        ...

    def started(
        self, start: StartWorker[T, R], at_once: int = 1
    ) -> AbstractContextManager[Callable[[Iterable[T]], Iterator[R]]]:
        """Workers, as long as it is open. Its value has the results of all tasks, in their order;
        tasks are taken as there is work for, and called again it asks the same workers.

        ``at_once``: tasks that a worker may be given, each in a thread of its own.
        """
        ...


def split_into_tasks(items: Iterable[T], runner: TaskRunner) -> Iterator[Iterable[T]]:
    """Tasks for an runner; where it takes all items at once, they are made as they are used."""
    source = iter(items)
    if runner.task_size is None:
        yield source
        return
    while task := [*islice(source, runner.task_size)]:
        yield task


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRunner:
    """In this process, one after the other."""

    task_size: int | None = None

    @contextmanager
    def started(
        self, start: StartWorker[T, R], at_once: int = 1
    ) -> Iterator[Callable[[Iterable[T]], Iterator[R]]]:
        """See ``TaskRunner``."""
        with start() as work, ExitStack() as begun:

            def run(tasks: Iterable[T]) -> Iterator[R]:
                results = (result for task in tasks for result in work(task))
                begun.callback(results.close)  # what nobody waits for is not done
                return results

            yield run


@dataclass(frozen=True, slots=True, kw_only=True)
class RayRunner:
    """By workers on a Ray cluster; what a killed one had under way is done by another.

    Every machine needs groundrl and the files that the tasks name, at the same paths.
    """

    resource_options: ClassVar[frozenset[str]] = frozenset(
        {"address", "workers", "num_cpus", "num_gpus", "task_size"}
    )

    address: str = LOCAL
    """Of a running cluster; "auto": the one that this machine belongs to; "local" starts one."""
    workers: int = 1
    num_cpus: float = 1.0
    """Of each worker."""
    num_gpus: float = 0.0
    """Of each worker; 0.5 puts two on a GPU."""
    task_size: int | None = 128
    """Items that a worker is given at a time: what is lost with it."""

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
    def started(
        self, start: StartWorker[T, R], at_once: int = 1
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
                max_concurrency=at_once,
            )
            workers = [worker.remote(start) for _ in range(self.workers)]

            def run(tasks: Iterable[T]) -> Iterator[R]:
                try:
                    for results in _in_order(workers * at_once, tasks):
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
            there = ray.cluster_resources()
            for name, each in (("CPU", self.num_cpus), ("GPU", self.num_gpus)):
                # Other clusters may grow.
                if own and each * self.workers > there.get(name, 0):
                    raise UserError(
                        f"runner.workers={self.workers} with runner.num_{name.lower()}s={each} "
                        f"each need more than the {there.get(name, 0):g} {name}s of this machine: "
                        "lower one of the two"
                    )
            yield
        finally:
            ray.shutdown()


def _in_order(idle: list[Any], tasks: Iterable[Any]) -> Iterator[list[Any]]:
    """What workers say of each task; whoever is idle, as often as it is listed, takes the next."""
    import ray

    source, most = iter(tasks), TASKS_AHEAD * len(idle)
    at_work: dict[Any, Any] = {}
    results: deque[Any] = deque()
    while True:
        for task in islice(source, min(len(idle), most - len(results))):
            one = idle.pop()
            results.append(one.do.remote(task))
            at_work[results[-1]] = one
        if not results:
            return
        if results[0] not in at_work:
            yield ray.get(results.popleft())
            continue
        ready, _ = ray.wait([*at_work], num_returns=1)
        idle += [at_work.pop(done) for done in ready]


class _Worker:
    def __init__(self, start: StartWorker[Any, Any]) -> None:
        self._start = start
        self._starting = threading.Lock()
        self._open = ExitStack()  # as long as the process lives

    @cached_property  # not in __init__, whose errors Ray would report as the death of a worker
    def _work(self) -> Callable[[Any], Iterable[Any]]:
        return self._open.enter_context(self._start())

    def do(self, task: Any) -> list[Any]:
        with self._starting:
            work = self._work
        return list(work(task))
