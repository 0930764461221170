"""Processes that end together: one dies, one makes a mistake, all are done."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COUNT = 3
PROGRAM = """
import itertools, json, os, signal, sys, time
from pathlib import Path
from groundrl.errors import UserError
from groundrl.running.lifeline import lifeline

folder, rank, count, case = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

exchanges = itertools.count()

def gather(value):
    this = next(exchanges)
    (folder / f"{rank}.partial").write_text(json.dumps(value))
    (folder / f"{rank}.partial").replace(folder / f"{this}-{rank}")
    files = [folder / f"{this}-{number}" for number in range(count)]
    while not all(file.exists() for file in files):
        time.sleep(0.01)
    return [json.loads(file.read_text()) for file in files]

try:
    with lifeline(rank, count, gather, "To go on, type X"):
        if case == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if case == "mistaken":
            raise UserError("no caption can be rated")
        if case == "bug":
            raise KeyError("a bug")
        if case == "exchange":  # with the process that is killed
            time.sleep(0.5)
            raise RuntimeError("Connection closed by peer")
        time.sleep(60 if case == "waits" else 0.2 * rank)
except UserError as error:
    sys.stderr.write(f"\\n{error}\\n")
    sys.exit(2)
"""


def run_processes(folder: Path, cases: list[str]) -> tuple[list[int], str, float]:
    """Status of each process, what they wrote to standard error, and the seconds that it took."""
    environment: Mapping[str, str] = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "PYTHONPATH": str(ROOT / "src"),
    }
    start = time.monotonic()
    with (folder / "stderr").open("w") as stderr:
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(folder), str(rank), str(len(cases)), case],
                env=environment,
                stderr=stderr,
            )
            for rank, case in enumerate(cases)
        ]
        statuses = [process.wait(timeout=50) for process in processes]
    return statuses, (folder / "stderr").read_text(), time.monotonic() - start


@pytest.mark.slow
@pytest.mark.parametrize("dead", range(COUNT))
def test_a_dead_process_ends_all_with_one_message(tmp_path: Path, dead: int) -> None:
    cases = ["waits"] * COUNT
    cases[dead] = "killed"
    statuses, told, seconds = run_processes(tmp_path, cases)
    assert seconds < 10
    assert statuses[dead] == -9
    assert (statuses[1] if dead == 0 else statuses[0]) == 1
    assert told.strip() == (
        f"process {dead} of 3 (counted from 0) is gone: killed, out of memory, or ended by an "
        "error that is shown above. The others have ended, too. To go on, type X"
    )


@pytest.mark.slow
@pytest.mark.parametrize("cases", [("exchange", "killed"), ("killed", "exchange")])
def test_an_exchange_with_a_dead_process_shows_no_traceback(
    tmp_path: Path, cases: tuple[str, str]
) -> None:
    statuses, told, _ = run_processes(tmp_path, [*cases])
    assert sorted(statuses) == [-9, 1]
    assert "Traceback" not in told
    assert told.count("is gone") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "cases",
    [("waits", "mistaken", "waits"), ("mistaken", "waits", "waits"), ("mistaken",) * COUNT],
)
def test_a_mistake_that_some_process_finds_is_told_once(
    tmp_path: Path, cases: tuple[str, ...]
) -> None:
    statuses, told, seconds = run_processes(tmp_path, [*cases])
    assert told.strip() == "no caption can be rated"
    assert statuses[0] == 2
    assert seconds < 10


@pytest.mark.slow
@pytest.mark.parametrize("rank", range(2))
def test_a_bug_in_one_process_shows_its_traceback_and_ends_the_other(
    tmp_path: Path, rank: int
) -> None:
    cases = ["waits", "waits"]
    cases[rank] = "bug"
    statuses, told, seconds = run_processes(tmp_path, cases)
    assert statuses[0] == 1
    assert told.count("Traceback") == 1
    assert "KeyError: 'a bug'" in told
    assert seconds < 10


@pytest.mark.slow
def test_processes_may_be_done_at_different_times(tmp_path: Path) -> None:
    statuses, told, _ = run_processes(tmp_path, ["done"] * COUNT)
    assert statuses == [0, 0, 0]
    assert told == ""
