"""Stop commands at random instants, type them again, compare: ``python -m campaigns.kill``.

Each case runs a command into a new folder, stops it once or twice, types it again until it ends,
and compares all that it leaves with what an unharmed run leaves: to the last bit, times excepted.
kill -9 meets the first process alone, as the kernel's memory killer does; SIGTERM and Ctrl-C meet
the whole process group, as those of schedulers and terminals do.
"""

import os
import random
import shutil
import signal
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from scripts import import_libraries

from campaigns.jobs import JOBS, Job, differences, outcome
from campaigns.processes import run, start
from campaigns.table import Case, main

SIGNALS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}
GRACE = 20.0
"""Seconds that a worker process may outlive its parent."""
FIRST = 1.5
"""Seconds of work after which the first case is stopped."""


def campaign(args: Namespace) -> Iterator[Case]:
    """``size`` instants for each command."""
    import_libraries()
    for name in args.only:
        draws = random.Random(f"{args.seed} {name}")
        with tempfile.TemporaryDirectory(prefix="kill-") as place:
            folder = Path(place)
            yield from attack(name, JOBS[name], folder, args.size, draws)


def attack(name: str, job: Job, folder: Path, size: int, draws: random.Random) -> Iterator[Case]:
    """The unharmed run, then each of the cases."""
    if job.before is not None:
        run(job.before.command(folder / "before"))
    # A process of its own: the order of sets differs from that in the forked ones.
    status, told = run(job.command(folder / "unharmed"), fresh=True)
    if status:
        yield Case(name=name, expected="status 0", seen=f"{status}: {told[-300:]}", failed=True)
        return
    expected = outcome(folder / "unharmed" / "run")
    shutil.rmtree(folder / "unharmed")
    seconds, kinds = 0.0, list(SIGNALS)
    for index in range(size):
        harmed = folder / str(index)
        kind = kinds[index % len(kinds)]
        points, problems = [], []
        # One in three is stopped twice. The first one is let end, to see how long it takes.
        for _ in range(1 + (index % 3 == 2)):
            instant = draws.uniform(0, seconds) if seconds else FIRST
            point, wrong = stop(job, harmed, SIGNALS[kind], instant)
            points.append(point)
            problems += wrong
        again = start(job.command(harmed))
        status, told = again.finish()
        seconds = seconds or FIRST + again.used
        if status:
            problems.append(f"typed again it ends with {status}: {told[-300:]}")
        else:
            problems += differences(expected, outcome(harmed / "run"))
        yield Case.of(f"{name}, {kind} {', then '.join(points)}", "the unharmed run", problems)
        shutil.rmtree(harmed, ignore_errors=True)


def stop(job: Job, folder: Path, number: signal.Signals, instant: float) -> tuple[str, list[str]]:
    """Run the command and stop it after ``instant`` seconds of its own work, whatever else the
    machine does. Returns when it was stopped, and what was not as promised."""
    process = start(job.command(folder))
    while process.poll() is None and process.cpu_seconds() < instant:
        time.sleep(0.005)
    if process.status is None:
        process.send(number, group=number is not signal.SIGKILL)
    point = f"after {instant:.1f} s ({newest_file(folder / 'run')})"
    status, told = process.finish()
    problems = []
    if status not in (0, -number, 128 + number):
        problems.append(f"status {status}: {told[-300:]}")
    begun = (folder / "run").exists()
    if begun and number is not signal.SIGKILL and "Traceback" in told:
        problems.append(f"a traceback: {told[-300:]}")
    if not group_ends(process.pid):
        problems.append("processes are left")
        os.killpg(process.pid, signal.SIGKILL)
    return point, problems


def newest_file(run: Path) -> str:
    """What the run wrote last: how far it was."""
    files = [path for path in run.rglob("*") if path.is_file()]
    times = {path: path.stat().st_mtime for path in files if path.exists()}
    newest = max(times, key=times.__getitem__, default=None)
    return "nothing written" if newest is None else str(newest.relative_to(run))


def group_ends(group: int) -> bool:
    """Whether no process of the group is left after some seconds."""
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


if __name__ == "__main__":
    main(__doc__, campaign, size=6, meaning="instants for each command", parts=[*JOBS])
