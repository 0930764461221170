"""Train for long and watch the process: ``python -m campaigns.soak``.

``size`` steps of GRPO on the embedded model, on questions that never come twice. Resident memory,
open files, threads and the time of a step have to stay as they are: the slope over the second half
of the run, times the number of its steps, is within the noise or below a small share.
"""

import os
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scripts import import_libraries
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from campaigns.jobs import stage
from campaigns.processes import start
from campaigns.table import Case, main

SHARE = {"MB resident": 0.03, "open files": 0.05, "threads": 0.05, "seconds a step": 0.15}
"""By how much each may grow over the second half of a run of ``STEADY`` steps or more; a shorter
one is still warming up, and may grow by more in proportion."""
STEADY = 300
PAGE = os.sysconf("SC_PAGE_SIZE")


def campaign(args: Namespace) -> Iterator[Case]:
    """One run."""
    import_libraries()
    steps = f"stage.grpo.steps={args.size}"
    job = stage("grpo", steps, "stage.grpo.checkpoint_seconds=30")
    with tempfile.TemporaryDirectory(prefix="soak-") as place:
        folder = Path(place)
        process = start(job.command(folder))
        watched: list[tuple[float, float, float, float]] = []
        while process.poll() is None:
            used = process.cpu_seconds()
            if not watched or used > watched[-1][0] + 0.2:
                watched.append((used, *in_use(process.pid)))
            time.sleep(0.05)
        status, told = process.finish()
        if status:
            yield Case(name="run", expected="status 0", seen=told[-300:], failed=True)
            return
        events = EventAccumulator(str(folder / "run" / "tensorboard" / "grpo"), {"scalars": 0})
        events.Reload()
        seconds = [event.value for event in events.Scalars("time/step")]
    _, memory, files, threads = (list(column) for column in zip(*watched, strict=True))
    series = dict(zip(SHARE, (memory, files, threads, seconds), strict=True))
    for name, values in series.items():
        allowed = SHARE[name] * max(1.0, STEADY / args.size)
        yield flat(f"{name}, {args.size} steps", values, allowed)


def in_use(process: int) -> tuple[float, float, float]:
    """Megabytes of memory, open files and threads."""
    place = Path(f"/proc/{process}")
    try:
        pages = int((place / "statm").read_text().split()[1])
        counts = (len(os.listdir(place / "fd")), len(os.listdir(place / "task")))
    except (OSError, IndexError):  # it has just ended
        return 0.0, 0.0, 0.0
    return pages * PAGE / 1e6, float(counts[0]), float(counts[1])


def flat(name: str, values: Sequence[float], share: float) -> Case:
    """Whether the second half grows by no more than ``share``, or by no more than chance."""
    half = np.array([value for value in values if value][len(values) // 2 : -1])
    steps = np.arange(len(half)) - (len(half) - 1) / 2
    middle = float(np.median(half))
    slope = float((steps * half).sum() / (steps**2).sum())
    rest = half - half.mean() - slope * steps
    error = float(np.sqrt((rest**2).mean() / (steps**2).sum()))
    growth = slope * len(half) / middle
    chance = 2 * error * len(half) / middle
    seen = f"{middle:.4g}, growth {100 * growth:+.1f} % ± {100 * chance:.1f} % over the second half"
    failed = growth - chance > share
    return Case(
        name=name, expected=f"growth of at most {100 * share:g} %", seen=seen, failed=failed
    )


if __name__ == "__main__":
    main(__doc__, campaign, size=STEADY, meaning="steps", parts=["grpo"])
