"""``runner=ray`` beside Ray Data: ``python benchmarks/ray_tasks.py``.

Both do trivial items on two workers, on a simulated cluster of two nodes with room for one each.
Scenarios: ``stream`` of many items; ``slow``: a consumer that takes 5 ms per item; ``killed``: a
worker is killed once; ``deadly``: each time it comes to an item; ``lost``: a node is lost and not
replaced. Figures: seconds to the first result and to the last (or the error that ended the run,
TimeoutError after ``--limit`` seconds), items per second after the first, memory that this process
gained while 90 % of the results passed through, the most items that were done and not yet
consumed, and workers that were started.
"""

import argparse
import json
import logging
import os
import signal
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import history
from ray.cluster_utils import Cluster
from ray.exceptions import RayError

from groundrl.report.tables import Table, number, to_text
from groundrl.running.task_runner import RayRunner, WorkerFactory

WORKERS = 2
SETTINGS: dict[str, dict[str, Any]] = {
    "stream": {},
    "slow": {"consumer": 0.005},
    "killed": {"flag": "once", "seconds": 0.01},
    "deadly": {"flag": "always", "seconds": 0.01},
    "lost": {"seconds": 0.05, "lose": True},
}

COLUMNS = ("first_seconds", "per_second", "gained_mb", "ahead", "ended", "workers")

Done = tuple[int, float]
"""An item, and when it was done."""
Start = Callable[
    [str, WorkerFactory[list[int], Done]],
    AbstractContextManager[Callable[[Iterable[list[int]]], Iterator[Done]]],
]


@contextmanager
def worker(
    folder: Path, seconds: float, flag: str, item: int
) -> Iterator[Callable[[list[int]], list[Done]]]:
    """``flag``: the worker is killed at this item "once", "always", or "" never."""

    def do(one: int) -> Done:
        if one == item and flag and (flag == "always" or not (folder / "killed").exists()):
            (folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(seconds)
        return one, time.time()

    (folder / f"worker-{os.getpid()}").touch()
    yield lambda task: [do(one) for one in task]


@contextmanager
def with_runner(address: str, factory: Any) -> Iterator[Any]:
    """Ours."""
    with RayRunner(address=address, workers=WORKERS).start_workers(factory) as run:
        yield run


class Mapper:
    """A worker of Ray Data."""

    def __init__(self, factory: Any) -> None:
        self.context = factory()
        self.work = self.context.__enter__()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        done = [one for task in batch["item"] for one in self.work(task.tolist())]
        return {"item": [item for item, _ in done], "time": [when for _, when in done]}


@contextmanager
def with_ray_data(address: str, factory: Any) -> Iterator[Any]:
    """A pool of one to ``WORKERS`` actors, a block per task, results in order."""
    import ray.data

    ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False

    def run(tasks: Iterable[list[int]]) -> Iterator[Done]:
        blocks = [*tasks]
        pool = ray.data.ActorPoolStrategy(min_size=1, max_size=WORKERS)
        data = ray.data.from_items(blocks, override_num_blocks=len(blocks)).map_batches(
            Mapper, fn_constructor_args=[factory], batch_size=1, compute=pool, num_cpus=1
        )
        return ((row["item"], row["time"]) for row in data.iter_rows())

    try:
        yield run
    finally:
        ray.shutdown()


CONTENDERS: dict[str, Any] = {"runner=ray": with_runner, "Ray Data": with_ray_data}


def memory() -> float:
    """MB of this process."""
    (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x]
    return int(line.split()[1]) / 1024


def measure(
    start: Start,
    cluster: Cluster,
    items: int,
    task_size: int,
    *,
    seconds: float = 0.0,
    consumer: float = 0.0,
    flag: str = "",
    lose: bool = False,
) -> dict[str, float]:
    """``seconds``: time per item; ``consumer``: per result."""
    tasks = ([*range(items)[first : first + task_size]] for first in range(0, items, task_size))
    consumed, done, gained, began = list[float](), list[float](), 0.0, time.time()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with start(cluster.address, partial(worker, folder, seconds, flag, items // 3)) as run:
            for item, when in run(tasks):
                assert item == len(done)
                consumed.append(time.time())
                done.append(when)
                time.sleep(consumer)
                if len(done) == items // 10:
                    gained = -memory()
                if lose and len(done) == items // 10:
                    cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
            gained += memory()
        assert len(done) == items
        workers = len([*folder.glob("worker-*")])
    done.sort()
    return {
        "first_seconds": consumed[0] - began,
        "per_second": items / (consumed[-1] - consumed[0]),
        "gained_mb": gained,
        "ahead": max(bisect_left(done, at) - number for number, at in enumerate(consumed)),
        "ended": consumed[-1] - began,
        "workers": workers,
    }


def give_up(*_: object) -> None:
    """At the limit."""
    raise TimeoutError


def main() -> None:
    """Measure all, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=100_000, help="of stream")
    parser.add_argument("--few", type=int, default=1_000, help="items of the others")
    parser.add_argument("--limit", type=int, default=120, help="seconds")
    parser.add_argument("--only", nargs="+", default=[*SETTINGS], choices=SETTINGS)
    parser.add_argument("--contenders", nargs="+", default=[*CONTENDERS], choices=CONTENDERS)
    history.add_options(parser)
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, give_up)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    figures: dict[str, dict[str, Any]] = {}
    for scenario in options.only:
        items, size = (options.items, 128) if scenario == "stream" else (options.few, 8)
        for contender in options.contenders:
            while len(cluster.list_all_nodes()) < 1 + WORKERS:
                cluster.add_node(num_cpus=1)
            signal.alarm(options.limit if scenario != "stream" else 0)
            try:
                found = measure(CONTENDERS[contender], cluster, items, size, **SETTINGS[scenario])
            except (TimeoutError, RayError) as error:
                found = {"ended": type(error).__name__}
            signal.alarm(0)
            print(scenario, contender, json.dumps(found), file=sys.stderr, flush=True)
            figures.setdefault(scenario, {})[contender] = found
    cluster.shutdown()
    print(to_text(table(figures)))
    history.keep(options, figures)


def table(figures: dict[str, dict[str, Any]]) -> Table:
    """A row per scenario and contender; "ended" says why where it did not end well."""
    rows = []
    for scenario, contenders in figures.items():
        for contender, found in contenders.items():
            cells = [found.get(name, "") for name in COLUMNS]
            shown = [one if isinstance(one, str) else number(one) for one in cells]
            rows.append((scenario, contender, *shown))
    columns = ("scenario", "contender", *(name.replace("_", " ") for name in COLUMNS))
    return Table(columns=columns, rows=tuple(rows))


if __name__ == "__main__":
    main()
