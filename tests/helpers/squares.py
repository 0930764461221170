"""Squares the numbers of some tasks on a Ray cluster and prints them, or why it could not.

``python squares.py FOLDER LAST CPUS``: numbers below LAST, three a task; two workers of CPUS each.
A worker at 5 is killed, once, if there is FOLDER/kill; 10 is a mistake of the user.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from groundrl.errors import UserError
from groundrl.running.task_runner import RayRunner


@contextmanager
def squares(folder: Path) -> Iterator[Callable[[Iterable[int]], Iterable[int]]]:
    def work(task: Iterable[int]) -> Iterator[int]:
        for number in task:
            if number == 5 and (folder / "kill").exists():
                (folder / "kill").unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            if number == 10:
                raise UserError("10 is too many")
            yield number * number

    yield work


if __name__ == "__main__":
    folder, last, cpus = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    tasks = [range(first, first + 3) for first in range(0, last, 3)]
    try:
        with RayRunner(workers=2, num_cpus=cpus).start_workers(partial(squares, folder)) as run:
            print(json.dumps(sorted(run(tasks))))
    except UserError as error:
        print(json.dumps(str(error)))
