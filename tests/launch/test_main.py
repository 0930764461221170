"""How a script ends when it cannot go on."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.conf import ConfigSourceInfo
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from groundrl.errors import UserError
from groundrl.launch.exits import exit_with
from groundrl.launch.going_on import how_to_go_on
from groundrl.launch.main import keep_config, lock_run, report_user_errors
from groundrl.launch.requeue import requeue_job
from groundrl.launch.resolved import RESOLVED
from groundrl.launch.resolvers import register_resolvers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Iterator[DictConfig]:
    """A job of ``python train.py seed=1,2 -m output_dir=grid``."""
    monkeypatch.setattr(sys, "argv", ["train.py", "seed=1,2", "-m", "output_dir=grid"])
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", ["seed=1", "output_dir=grid"], return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.mode = "MULTIRUN"
        cfg.hydra.job.num, cfg.hydra.job.id = 0, "0"
        cfg.hydra.runtime.output_dir = "grid/seed=1"
    HydraConfig.instance().set_config(cfg)
    yield cfg
    HydraConfig.instance().cfg = None


def test_two_trainings_never_write_to_one_folder(tmp_path: Path) -> None:
    with lock_run(tmp_path), pytest.raises(UserError, match="another run is writing here"):
        lock_run(tmp_path).__enter__()


def test_a_run_does_not_take_the_folder_of_another_script(job: DictConfig, tmp_path: Path) -> None:
    keep_config("train", job, tmp_path)
    (tmp_path / "checkpoints").mkdir()
    before = (tmp_path / RESOLVED).read_bytes()
    with pytest.raises(UserError, match=r"holds a run of train\.py: type output_dir="):
        keep_config("synthesize", job, tmp_path)
    assert (tmp_path / RESOLVED).read_bytes() == before


def test_an_interrupted_synthesis_goes_on_with_its_own_config_only(
    job: DictConfig, tmp_path: Path
) -> None:
    keep_config("synthesize", job, tmp_path)
    (tmp_path / ".synthesis").touch()
    keep_config("synthesize", job, tmp_path)
    with open_dict(job):
        job.seed = 7
    with pytest.raises(UserError, match="seed was 1 and is now 7"):
        keep_config("synthesize", job, tmp_path)


def test_code_that_ends_the_process_is_an_error_with_its_place(job: DictConfig) -> None:
    with (
        pytest.raises(UserError, match=r"test_main\.py:\d+ \(.*\) ended the run by sys\.exit\(0\)"),
        report_user_errors(job),
    ):
        sys.exit(0)
    with pytest.raises(SystemExit, match="1"), report_user_errors(job):
        exit_with(1, "unfinished")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_ends_a_multirun_with_what_is_left_of_it(
    job: DictConfig, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    with pytest.raises(SystemExit) as exit, report_user_errors(job):
        signal.raise_signal(number)
    assert exit.value.code == 128 + number
    assert capsys.readouterr().err.splitlines()[1:] == [
        f"stopped by {number.name}",
        "2 jobs are left, this one first: seed=1, seed=2",
        "To go on, type",
        "  python train.py seed=1,2 -m output_dir=grid",
    ]


def test_a_job_of_an_array_goes_back_into_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked; exit $STATUS\n')
    scontrol.chmod(0o755)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert "no job of Slurm" in requeue_job()
    for name, value in (("JOB_ID", "9"), ("ARRAY_JOB_ID", "7"), ("ARRAY_TASK_ID", "2")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("PATH", "/nowhere")
    assert "there is no scontrol here" in requeue_job()
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("STATUS", "0")
    assert requeue_job() == "job 7_2 is put back into the queue and will go on"
    assert (tmp_path / "asked").read_text() == "requeue 7_2\n"
    monkeypatch.setenv("STATUS", "1")
    assert requeue_job().startswith("job 7_2 is not put back into the queue")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, r"no space left on the disk \(grid/adapter\): free some"),
        (errno.EROFS, r"grid/adapter cannot be written to \(Read-only file system\)"),
        (errno.EMFILE, r"too many open files \(grid/adapter\): type ulimit -n 4096"),
    ],
)
def test_what_a_machine_lacks_is_an_error_with_the_command_that_goes_on(
    job: DictConfig, number: int, message: str
) -> None:
    lacking = OSError(number, os.strerror(number), "grid/adapter")
    with pytest.raises(UserError, match=message) as told, report_user_errors(job):
        raise lacking
    assert str(told.value).endswith("python train.py seed=1,2 -m output_dir=grid")


def test_the_command_to_continue_has_the_folder_of_configs(
    job: DictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run", "checkpoints").mkdir(parents=True)
    OmegaConf.set_readonly(job.hydra, False)
    with open_dict(job):
        job.hydra.mode = "RUN"
        job.hydra.overrides.task = ["reward=mine", "output_dir=run"]
        job.hydra.runtime.output_dir = "run"
        added = ConfigSourceInfo(path="/lab/conf", schema="file", provider="command-line")
        job.hydra.runtime.config_sources.append(added)
    HydraConfig.instance().set_config(job)
    command = "python train.py --config-dir /lab/conf reward=mine resume=run"
    assert how_to_go_on(job) == f"To go on, type\n  {command}"


def test_other_errors_of_the_system_are_bugs(job: DictConfig) -> None:
    with pytest.raises(PermissionError), report_user_errors(job):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_ctrl_c_in_a_multirun_names_the_command_of_the_multirun(
    job: DictConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit, report_user_errors(job):
        raise KeyboardInterrupt
    assert exit.value.code == 130
    *_, first, _, _, last = capsys.readouterr().err.splitlines()
    assert first == "interrupted"
    assert last.strip() == "python train.py seed=1,2 -m output_dir=grid"


def test_a_run_that_saved_nothing_is_started_again_by_the_same_command(
    job: DictConfig, tmp_path: Path
) -> None:
    OmegaConf.set_readonly(job.hydra, False)
    with open_dict(job):
        job.hydra.mode = "RUN"
        job.hydra.overrides.task = ["seed=1", f"output_dir={tmp_path}"]
        job.hydra.runtime.output_dir = str(tmp_path)
    HydraConfig.instance().set_config(job)
    assert how_to_go_on(job).endswith(f"python train.py seed=1 output_dir={tmp_path}")
    (tmp_path / "checkpoints").mkdir()
    assert how_to_go_on(job).endswith(f"python train.py seed=1 resume={tmp_path}")


@pytest.mark.slow
def test_ctrl_c_before_a_run_is_one_line() -> None:
    lines = (
        "import os, signal, sys",
        "from pathlib import Path",
        "from groundrl.launch import main",
        "sys.argv = ['train.py']",
        f"main.check_command_line('train', Path({str(ROOT)!r}))",
        "os.kill(os.getpid(), signal.SIGINT)",
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    assert ended.stderr == "interrupted before the run: type the same command again\n"


@pytest.mark.slow
def test_a_run_that_never_began_leaves_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "train.py", "data=yolo", "data.root=/nope", f"output_dir={folder}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "/nope" in ended.stderr
    assert not folder.exists()
