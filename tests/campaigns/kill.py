"""Stop commands at random instants, type them again, compare: ``python -m campaigns.kill``.

Each case runs a command into a new folder, stops it once or twice, types it again until it ends,
and compares all that it leaves with what an unharmed run leaves: to the last bit, times excepted.
kill -9 meets the first process alone, as the kernel's memory killer does; SIGTERM and Ctrl-C meet
the whole process group, as those of schedulers and terminals do.
"""

import os
import random
import resource
import shutil
import signal
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from campaigns.jobs import JOBS, Job, differences, finish, outcome, start
from campaigns.table import Case, main

SIGNALS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}
GRACE = 20.0
"""Seconds that a worker process may outlive its parent."""
TICKS = os.sysconf("SC_CLK_TCK")
"""Of the kernel's accounting, a second."""


def campaign(args: Namespace) -> Iterator[Case]:
    """``size`` instants for each command."""
    for name in args.only:
        draws = random.Random(f"{args.seed} {name}")
        with tempfile.TemporaryDirectory(prefix="kill-") as place:
            folder = Path(place)
            yield from attack(name, JOBS[name], folder, args.size, draws)


def attack(name: str, job: Job, folder: Path, size: int, draws: random.Random) -> Iterator[Case]:
    """The unharmed run, then each of the cases."""
    if job.before is not None:
        finish(start(job.before.command(folder / "before")))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    status, told = finish(start(job.command(folder / "unharmed")))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if status:
        yield Case(name=name, expected="status 0", seen=f"{status}: {told[-300:]}", failed=True)
        return
    expected = outcome(folder / "unharmed" / "run")
    kinds = list(SIGNALS)
    for index in range(size):
        harmed = folder / str(index)
        kind = kinds[index % len(kinds)]
        # One in five at any time, the others once libraries are loaded; one in three twice.
        first = 0.0 if index % 5 == 4 else 0.4 * seconds
        instants = [draws.uniform(first, seconds) for _ in range(1 + (index % 3 == 2))]
        problems, points = [], []
        for instant in instants:
            point, wrong = stop(job, harmed, SIGNALS[kind], instant)
            points.append(point)
            problems += wrong
        status, told = finish(start(job.command(harmed)))
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
    while process.poll() is None and cpu_seconds(process.pid) < instant:
        time.sleep(0.005)
    if process.returncode is None:
        send = os.kill if number is signal.SIGKILL else os.killpg
        send(process.pid, number)
    point = f"after {instant:.1f} s ({newest_file(folder / 'run')})"
    # Read before the workers, which share standard error, have ended.
    status, told = finish(process)
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


def cpu_seconds(process: int) -> float:
    """Of a process that runs, or waits to be reaped."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


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
