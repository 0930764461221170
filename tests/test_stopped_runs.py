"""Scripts that a scheduler stops: status, message, and nothing lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import ROOT, environment, run_python
from test_train_cli import TINY

from groundrl.stages.fitting.checkpoint_file import read_checkpoint

pytestmark = pytest.mark.slow


def stop_at(
    line_start: str, number: signal.Signals, script: str, *arguments: str, **changed: str
) -> tuple[int, str]:
    """Status and the rest of standard error of a script that gets a signal after such a line."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / script), *arguments],
        cwd=changed.pop("cwd", ROOT),
        env=environment(**changed),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    seen = [next(line for line in process.stderr if line.startswith(line_start))]
    os.killpg(process.pid, number)  # as Slurm does, with the loader's processes
    _, stderr = process.communicate(timeout=300)
    return process.returncode, "".join(seen) + stderr


def test_sigterm_on_slurm_saves_a_stage_and_puts_the_job_back(tmp_path: Path) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    run, here = tmp_path / "run", tmp_path / "here"
    here.mkdir()
    job = {f"SLURM_{name}": "0" for name in ("PROCID", "LOCALID", "NODEID")}
    job |= {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURM_JOB_NAME": "train"}
    status, told = stop_at(
        "sft",
        signal.SIGTERM,
        "train.py",
        *(*TINY, "stage.sft.steps=200", "data.num_workers=1"),
        *("requeue=true", f"output_dir={run}"),
        **job,
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        cwd=str(here),
    )
    assert status == 128 + signal.SIGTERM, told
    assert "Traceback" not in told
    last = run / "checkpoints" / "sft" / "last.ckpt"
    assert read_checkpoint(last)["global_step"] >= 1
    *_, saved, queue, hint, command = told.splitlines()
    assert saved == f"interrupted; saved in {last}"
    assert queue == "job 7 is put back into the queue and will go on"
    assert hint == "To go on, type"
    assert command.endswith(f"requeue=true resume={run}")
    assert (tmp_path / "asked").read_text() == "requeue 7\n"
    assert not list(here.iterdir())  # no hpc_ckpt_1.ckpt


def test_sigusr1_ends_a_multirun_with_the_jobs_that_are_left(tmp_path: Path) -> None:
    status, told = stop_at(
        "held-out start",
        signal.SIGUSR1,
        "train.py",
        *("-m", "reward=acc,iou", "seed=0,1", *TINY, f"output_dir={tmp_path}"),
    )
    assert status == 128 + signal.SIGUSR1, told
    assert "Traceback" not in told
    assert "4 jobs are left, this one first: acc/seed=0, acc/seed=1, iou/seed=0" in told
    assert told.splitlines()[-1].endswith(f"output_dir={tmp_path}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_between_two_jobs_ends_a_multirun_in_one_message(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "signals.py").write_text(
        "import os\n"
        "from hydra.experimental.callback import Callback\n"
        "class AfterJob(Callback):\n"
        f"    def on_job_end(self, config, job_return, **_): os.kill(os.getpid(), {number:d})\n"
    )
    sweep, late = tmp_path / "sweep", "+hydra.callbacks.late._target_=signals.AfterJob"
    for job in ("acc", "iou"):
        (sweep / job).mkdir(parents=True)
    (sweep / "acc" / "metrics.json").write_text("{}")
    words = ("-m", "reward=acc,iou", f"output_dir={sweep}", late)
    ended = run_python("train.py", *words, PYTHONPATH=str(tmp_path))
    assert ended.returncode == 128 + number, ended.stderr
    assert ended.stderr.splitlines()[-4:] == [
        f"stopped by {number.name} between two jobs",
        "1 jobs are left, this one first: iou",
        "To go on, type",
        f"  python train.py -m reward=acc,iou {late} output_dir={sweep}",
    ]


@pytest.mark.parametrize("script", ["evaluate.py", "synthesize.py"])
def test_sigterm_ends_the_other_scripts_in_one_message(tmp_path: Path, script: str) -> None:
    chosen = {
        "evaluate.py": ["benchmark=world_rec"],
        "synthesize.py": ["detector=oracle", "scenes.size=5000"],
    }
    line = {"evaluate.py": "", "synthesize.py": "images"}
    status, told = stop_at(
        line[script],
        signal.SIGTERM,
        script,
        *(*chosen[script], "cache_dir=null", f"output_dir={tmp_path}/run"),
    )
    assert status == 128 + signal.SIGTERM, told
    assert "Traceback" not in told
    assert "stopped by SIGTERM" in told
    assert told.splitlines()[-1].endswith(f"resume={tmp_path}/run")
