"""The time of a run is that of all its pieces."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from groundrl.running.run_time import RunTime

ROOT = Path(__file__).parents[1]
WORK = """
import sys, time
from pathlib import Path
from groundrl.running import run_time
run_time.WRITTEN_EVERY = 0.05
times = run_time.RunTime(Path(sys.argv[1]))
with times.measure("train"):
    time.sleep(600)
"""


@pytest.mark.slow
def test_the_time_of_a_killed_process_counts(tmp_path: Path) -> None:
    path, begun = tmp_path / "new" / "seconds.json", time.perf_counter()

    def measured() -> float:
        return json.loads(path.read_text())["train"] if path.exists() else 0.0

    for least in (0.2, 0.4):
        job = subprocess.Popen(
            [sys.executable, "-c", WORK, str(path)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
        while measured() < least and time.perf_counter() - begun < 120:
            time.sleep(0.02)
        job.kill()
        job.wait()
        assert least <= measured() < time.perf_counter() - begun
    times, before = RunTime(path), measured()
    with times.measure("train"):
        time.sleep(0.1)
    assert before + 0.1 <= measured() == times.seconds["train"] < time.perf_counter() - begun


def test_an_interrupted_block_counts_and_parts_have_their_own_times(tmp_path: Path) -> None:
    times = RunTime(tmp_path / "seconds.json")
    times.know({"train": 5.0})
    times.know({"train": 3.0})
    with pytest.raises(KeyboardInterrupt), times.measure("train"):
        raise KeyboardInterrupt
    with times.measure("heldout"):
        pass
    assert 5 < times.seconds["train"] < 6
    assert times.seconds["heldout"] < 1
    assert RunTime(times.path).seconds == times.seconds
