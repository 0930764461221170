"""Jobs of a multirun at the same time: each with a GPU, with a log, and none unseen."""

import logging
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from io import StringIO
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from groundrl.launch.sweeps import parallel_jobs
from groundrl.launch.sweeps.grid import Grid
from groundrl.launch.sweeps.parallel_jobs import (
    JobLog,
    SweepProgress,
    end_interrupted,
    job_slots,
    report_killed,
    visible_gpus,
)
from groundrl.launch.sweeps.report import SweepReport
from groundrl.running.progress import ProgressLine

Start = Callable[[], subprocess.Popen[str]]
ROOT = Path(__file__).parents[2]
HOLD = """
import os, sys
from groundrl.launch.sweeps.parallel_jobs import take_gpu
take_gpu()
take_gpu()
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start_job(tmp_path: Path) -> Iterator[Start]:
    """Starts a process that takes a GPU of three and keeps it until its input ends."""
    started = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD],
            env={
                **os.environ,
                "CUDA_VISIBLE_DEVICES": "3,GPU-a/1",
                "TMPDIR": str(tmp_path),
                "PYTHONPATH": str(ROOT / "src"),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.communicate()


@pytest.mark.slow
def test_jobs_have_a_gpu_each_and_the_next_one_waits(start_job: Start) -> None:
    def told(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    first, second = start_job(), start_job()
    taken = {told(first), told(second)}
    assert taken == {"3", "GPU-a/1"}
    third = start_job()
    time.sleep(1)
    assert third.poll() is None
    first.kill()  # a killed job gives its GPU back, too
    assert told(third) in taken


@pytest.mark.parametrize(
    ("named", "found"),
    [("", []), ("-1", []), ("0", ["0"]), ("2, 5", ["2", "5"]), ("GPU-a-1,MIG-b", None)],
)
def test_gpus_are_those_that_the_process_may_use(
    monkeypatch: pytest.MonkeyPatch, named: str, found: list[str] | None
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == (named.split(",") if found is None else found)
    assert job_slots() == (len(visible_gpus()) or max(1, parallel_jobs.cores() // 2))


def test_one_gpu_is_shared_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    parallel_jobs.take_gpu()
    parallel_jobs.take_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"


def test_a_job_writes_to_its_log_and_then_to_the_screen_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for text in ("first", "second"):
        log = JobLog(tmp_path)
        os.write(1, f"{text}\n".encode())
        subprocess.run(["sh", "-c", f"echo {text} >&2"], check=True)
        log.close()
    os.write(1, b"after\n")
    assert (tmp_path / "log.txt").read_text() == "first\nfirst\nsecond\nsecond\n"
    assert capfd.readouterr().out == "after\n"


def test_progress_counts_jobs_that_ended_and_takes_the_time_of_new_ones(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abcd"]
    for folder in folders:
        folder.mkdir()
    (folders[0] / "metrics.json").touch()
    (folders[1] / "error.txt").touch()  # of an earlier attempt
    os.utime(folders[1] / "error.txt", (1, 1))
    progress, stream, now = SweepProgress(folders), StringIO(), [0.0]
    progress._line = ProgressLine(
        4, "jobs", first_step=progress.ended(), stream=stream, clock=lambda: now[0]
    )
    progress.show("c")
    assert progress.left() == folders[1:]
    later = time.time() + 1  # the clock of a file system may be a little behind
    os.utime(folders[1] / "error.txt", (later, later))
    (folders[2] / "metrics.json").touch()
    now[0] = 120.0
    progress.show("d")
    assert stream.getvalue() == "jobs 1/4  c  0:00<?\njobs 3/4  d  2:00<1:00\n"


def test_the_line_is_drawn_while_jobs_run_and_once_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel_jobs, "SECONDS_BETWEEN_LOOKS", 0.01)
    (tmp_path / "a").mkdir()
    progress, stream = SweepProgress([tmp_path / "a"]), StringIO()
    progress._line = ProgressLine(1, "jobs", stream=stream)
    progress.watch()
    time.sleep(0.1)
    (tmp_path / "a" / "metrics.json").touch()
    time.sleep(0.1)
    progress.close()
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["0/1", "1/1"]


def test_a_copy_in_another_process_knows_what_was_typed_and_composes_configs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", "seed=0,1"])
    sent = pickle.dumps(SweepReport(root=str(ROOT)))
    OmegaConf.clear_resolver("run_name")
    monkeypatch.setattr(sys, "argv", ["worker"])
    copy = pickle.loads(sent)
    assert isinstance(copy, SweepReport)
    assert sys.argv == ["train.py", "-m", "seed=0,1"]
    assert OmegaConf.has_resolver("run_name")


def test_jobs_are_named_in_the_order_in_which_they_run() -> None:
    typed = OverridesParser.create().parse_overrides(["seed=0,1", "debug=tiny"])
    names = Grid.of({"ablation": "grpo,dapo"}, typed).names()
    assert names == ["grpo/seed=0", "grpo/seed=1", "dapo/seed=0", "dapo/seed=1"]


def test_a_killed_job_and_ctrl_c_say_how_to_go_on(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.ERROR, "groundrl"):
        report_killed(BrokenProcessPool("exit codes of the workers are {SIGKILL(-9)}\nmore"))
    assert "{SIGKILL(-9)}). Type the same command again" in caplog.text
    with pytest.raises(SystemExit, match="130"):
        end_interrupted()
    assert "To go on, type the same command" in capsys.readouterr().err
