"""Squares numbers on a Ray cluster and prints them, or why it could not.

``python squares.py FOLDER LAST``: numbers below LAST, three a task, by two workers.
Files in FOLDER say what happens: at ``kill`` the worker of number 5 is killed once, at ``deadly``
each time; at ``mistake``, number 5 is a mistake of the user. A worker that is ready adds a file
``worker-<process>``.
"""

import argparse
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from groundrl.errors import UserError
from groundrl.running.task_runner import LOCAL, RayRunner

START, MIDDLE = 6, 30
"""Numbers after which all workers have started, and after which a node is lost or joins."""


@contextmanager
def squares(folder: Path, seconds: float = 0.0) -> Iterator[Callable[[Iterable[int]], list[int]]]:
    """``seconds``: for each number."""

    def work(task: Iterable[int]) -> list[int]:
        return [square(number) for number in task]

    def square(number: int) -> int:
        time.sleep(seconds)
        if number == 5 and (folder / "mistake").exists():
            raise UserError("5 is too many")
        if number == 5 and ((folder / "kill").exists() or (folder / "deadly").exists()):
            (folder / "kill").unlink(missing_ok=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return number * number

    (folder / f"worker-{os.getpid()}").touch()
    yield work


def wait_for_workers(folder: Path, count: int) -> None:
    until = time.monotonic() + 300
    while len([*folder.glob("worker-*")]) < count:
        assert time.monotonic() < until, f"there are no {count} workers"
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("last", type=int)
    parser.add_argument("--cpus", type=float, default=1.0, help="of each worker")
    parser.add_argument("--nodes", type=int, help="of a cluster, each with room for one worker")
    parser.add_argument("--change", choices=["lose", "join"], help="what a node does in the middle")
    options = parser.parse_args()
    tasks = [range(first, first + 3) for first in range(0, options.last, 3)]
    found: list[int] = []
    with ExitStack() as stack:
        address: Any = LOCAL
        changes: dict[str, Callable[[], object]] = {}
        if options.nodes:
            from ray.cluster_utils import Cluster

            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
            stack.callback(cluster.shutdown)
            nodes = [cluster.add_node(num_cpus=1) for _ in range(options.nodes)]
            lose = partial(cluster.remove_node, nodes[0], allow_graceful=False)
            join = partial(cluster.add_node, num_cpus=1)
            address, changes = cluster.address, {"lose": lose, "join": join}
        runner = RayRunner(address=address, workers=2, num_cpus=options.cpus)
        factory = partial(squares, options.folder, seconds=0.1 if options.nodes else 0.0)
        run = stack.enter_context(runner.start_workers(factory))
        for number in run(tasks):
            found.append(number)
            if options.change and len(found) == START:
                wait_for_workers(options.folder, options.nodes)
            if options.change and len(found) == MIDDLE:
                changes[options.change]()
                wait_for_workers(options.folder, 2)
    print(json.dumps(found))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(json.dumps(str(error)))
