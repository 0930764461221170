"""Tasks on a Ray cluster: all are done, whatever happens to workers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from squares import squares

from groundrl.running.task_runner import LocalRunner

pytest.importorskip("ray", reason="Ray is not installed")
ROOT = Path(__file__).parents[1]


def on_ray(folder: Path, last: int, cpus: float = 1.0) -> Any:
    """In a process of its own: Ray leaves some behind it."""
    script = [
        sys.executable,
        str(ROOT / "tests" / "helpers" / "squares.py"),
        str(folder),
        str(last),
        str(cpus),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    result = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.slow
def test_what_a_killed_worker_had_under_way_is_done_again(tmp_path: Path) -> None:
    (tmp_path / "kill").touch()
    assert on_ray(tmp_path, 9) == [number * number for number in range(9)]
    assert not (tmp_path / "kill").exists()


@pytest.mark.slow
def test_a_mistake_of_the_user_comes_as_it_is(tmp_path: Path) -> None:
    assert on_ray(tmp_path, 12) == "10 is too many"


@pytest.mark.slow
def test_more_workers_than_the_machine_has_room_for_are_refused(tmp_path: Path) -> None:
    told = on_ray(tmp_path, 9, cpus=999)
    assert told.startswith("runner.workers=2 with runner.num_cpus=999.0 each need more than the")


def test_one_process_does_tasks_in_their_order(tmp_path: Path) -> None:
    with LocalRunner().start_workers(lambda: squares(tmp_path)) as run:
        assert [*run([range(3, 6), range(3)])] == [9, 16, 25, 0, 1, 4]


def test_one_process_starts_its_worker_once_however_often_it_is_asked(tmp_path: Path) -> None:
    started: list[Path] = []

    def start() -> Any:
        started.append(tmp_path)
        return squares(tmp_path)

    with LocalRunner().start_workers(start) as run:
        assert [*run([range(2)]), *run([range(3)])] == [0, 1, 0, 1, 4]
    assert len(started) == 1
