"""Parallel launchers with jobs that finish, fail and are killed; a job takes a second."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

SCRIPT = """
import json, os, signal
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig

from groundrl.launch.resolvers import register_resolvers


@hydra.main(version_base="1.3", config_path="conf", config_name="job")
def main(cfg):
    folder = Path(HydraConfig.get().runtime.output_dir)
    print(f"this is {cfg.seed} of {os.environ['CUDA_VISIBLE_DEVICES']}", flush=True)
    if cfg.seed == 1 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.seed == 2:
        raise ValueError("two is too many")
    (folder / "metrics.json").write_text(json.dumps({"grpo": {"t/acc": 0.5}}))


if __name__ == "__main__":
    register_resolvers(Path(__file__).parent)
    main()
"""
CONFIG = f"""
defaults:
  - _self_
  - launcher: local
  - override hydra/job_logging: none
  - override hydra/hydra_logging: none
seed: 0
output_dir: sweep
sweep: {{until: grid}}
hydra:
  searchpath: ["file://{ROOT}/conf"]
  sweep: {{dir: "${{output_dir}}", subdir: "${{run_name:${{hydra:overrides.task}},[]}}"}}
  output_subdir: null
  callbacks:
    sweep_report: {{_target_: groundrl.launch.sweeps.report.SweepReport, root: "${{root:}}"}}
"""
JOBLIB = ("launcher=joblib", "hydra.launcher.n_jobs=2")
SUBMITIT = (
    "hydra/launcher=submitit_local",
    "+hydra.launcher.gpus_per_node=2",
    "hydra.launcher._target_=hydra_plugins.groundrl_launchers.LocalJobs",
)


def multirun(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf" / "job.yaml").write_text(CONFIG)
    (folder / "job.py").write_text(SCRIPT)
    return subprocess.run(
        [sys.executable, "job.py", "-m", *options],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "CUDA_VISIBLE_DEVICES": "0,1",
            "TMPDIR": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("launcher", [JOBLIB, SUBMITIT], ids=["joblib", "submitit"])
def test_a_killed_job_is_told_and_the_same_command_runs_what_is_missing(
    tmp_path: Path, launcher: tuple[str, ...]
) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    first = multirun(tmp_path, "seed=0,1,2", *launcher)
    assert first.returncode == 1, first.stderr
    assert "a job was killed" in first.stderr
    assert "stopped from outside" in first.stderr
    assert "Traceback" not in first.stderr
    assert "jobs have not ended, type the same command again: " in first.stderr
    table = tmp_path / "sweep" / "table.md"
    assert table.is_file()
    again = multirun(tmp_path, "seed=0,1,2", *launcher)
    assert again.returncode == 1, again.stderr
    assert "1 of 3 jobs failed" in again.stderr
    assert "ValueError: two is too many" in (tmp_path / "sweep/seed=2/error.txt").read_text()
    for seed in (0, 1):
        assert (tmp_path / f"sweep/seed={seed}/metrics.json").is_file()
        log = (tmp_path / f"sweep/seed={seed}/log.txt").read_text()
        assert log.splitlines()[-1] in (f"this is {seed} of 0", f"this is {seed} of 1")
    assert "this is" not in again.stdout + again.stderr
    assert "jobs 3/3" in again.stderr


def test_jobs_in_turn_show_how_far_the_multirun_is(tmp_path: Path) -> None:
    done = multirun(tmp_path, "seed=0,3")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("jobs 0/2  seed=0  0:")
    assert "this is 0 of 0,1\nthis is 3 of 0,1\n" in done.stdout
