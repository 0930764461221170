"""Jobs of a multirun at the same time, from one command."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_train_cli import ENVIRONMENT, ROOT

pytestmark = pytest.mark.slow

JOBLIB = ("launcher=joblib", "hydra.launcher.n_jobs=2")
SUBMITIT = (
    "hydra/launcher=submitit_local",
    "hydra.launcher._target_=hydra_plugins.groundrl_launchers.LocalJobs",
)
SMALL = ("debug=tiny", "data.heldout_size=2", "stage.grpo.module.sampler.sampling.max_tokens=4")


def start(sweep: Path, *options: str) -> subprocess.Popen[str]:
    """A multirun in ``sweep`` whose jobs share a cache."""
    places = (f"output_dir={sweep}", f"cache_dir={sweep}_cache")
    return subprocess.Popen(
        [sys.executable, "train.py", "-m", *SMALL, *options, *places],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def metrics(folder: Path) -> dict[str, dict[str, float]]:
    return json.loads((folder / "metrics.json").read_text())


@pytest.mark.parametrize("launcher", [JOBLIB, SUBMITIT], ids=["joblib", "submitit"])
def test_jobs_at_once_share_a_warm_up_and_end_in_one_table(
    tmp_path: Path, launcher: tuple[str, ...]
) -> None:
    pytest.importorskip("joblib" if launcher is JOBLIB else "submitit")
    sweep = tmp_path / "sweep"
    process = start(sweep, *launcher, "reward=acc,iou+acc,iou", "seed=0", "~data.heldout.street")
    out, told = process.communicate(timeout=900)
    assert process.returncode == 0, told
    found = [metrics(sweep / reward / "seed=0") for reward in ("acc", "iou+acc", "iou")]
    plain = [{k: v for k, v in one["sft"].items() if "reward" not in k} for one in found]
    assert plain[0] == plain[1] == plain[2]
    assert len(list(Path(f"{sweep}_cache", "warmup").iterdir())) == 1
    assert "| iou+acc | 1 |" in (sweep / "table.md").read_text()
    assert "jobs 3/3" in told
    assert "held-out" not in out + told
    assert "held-out grpo" in (sweep / "iou" / "seed=0" / "log.txt").read_text()


def test_a_killed_job_is_told_and_the_same_command_runs_only_what_is_missing(
    tmp_path: Path,
) -> None:
    pytest.importorskip("joblib")
    sweep = tmp_path / "sweep"
    options = (*JOBLIB, "reward=acc", "seed=0,1", "model.path=embedded,/nowhere")
    process = start(sweep, *options)
    places = [sweep / "acc" / f"model.path={path}" for path in ("-nowhere", "embedded")]
    bad, killed = (place / "seed=1" for place in places)
    lock = killed / ".lock"
    while not (lock.is_file() and lock.read_text().startswith("process")):
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(int(lock.read_text().split()[1]), signal.SIGKILL)
    _, told = process.communicate(timeout=900)
    assert process.returncode == 1
    assert "a job was killed" in told
    assert "stopped from outside" in told
    assert (sweep / "table.md").is_file()
    again = start(sweep, *options)
    _, told = again.communicate(timeout=900)
    assert again.returncode == 1
    assert "2 of 4 jobs failed" in told
    assert "model.path=/nowhere is no folder" in (bad / "error.txt").read_text()
    for seed in (0, 1):
        assert metrics(killed.parent / f"seed={seed}")["grpo"]["tabletop/n"] == 2
