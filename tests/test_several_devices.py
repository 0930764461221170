"""Several processes share a run: same answers, same adapter, one voice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from scripts import ROOT, environment
from strategy_runs import free_port
from test_evaluate_cli import evaluate
from test_train_cli import train

RUN = [
    *("debug=tiny", "cache_dir=null", "stage.sft.steps=4", "data.heldout_size=5"),
    *(
        "stage.grpo.steps=3",
        "stage.grpo.prompts_per_step=4",
        "stage.grpo.module.advantage.kind=batch_std",
        "stage.grpo.module.curriculum.floor=0.05",
        "stage.grpo.module.curriculum.delay=1",
    ),
]


TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2")


def figures(run: Path) -> dict[str, Any]:
    """What was measured, times aside."""
    measured = json.loads((run / "metrics.json").read_text())
    return {k: v for k, v in measured.items() if k.partition("/")[0] != "time"}


@pytest.mark.slow
def test_two_processes_end_where_one_does(tmp_path: Path) -> None:
    for devices in (1, 2):
        result = train(*RUN, f"trainer.devices={devices}", f"output_dir={tmp_path}/{devices}")
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines()[-1] == f"{tmp_path}/{devices}"
        assert result.stdout.count("metric ") == 1
    one, two = (load_file(tmp_path / run / "adapter/adapter_model.safetensors") for run in "12")
    assert any(weights.abs().max() > 0 for name, weights in one.items() if "lora_B" in name)
    for name, weights in one.items():
        # Where a gradient is nearly 0, AdamW makes part of a step (1e-2) out of its rounding
        # error, in each of the six steps.
        torch.testing.assert_close(two[name], weights, rtol=0, atol=1e-3)
    assert figures(tmp_path / "2") == figures(tmp_path / "1")
    for stage in ("start", "sft", "grpo"):
        answers = [(tmp_path / run / f"heldout_{stage}.jsonl").read_text() for run in "12"]
        assert answers[0] == answers[1]


@pytest.mark.slow
def test_two_processes_answer_as_one_does(tmp_path: Path) -> None:
    chosen = ["benchmark=[world_mme,world_rec]", "benchmark.world_mme.size=3"]
    chosen += ["benchmark.world_rec.size=1", "sampling.max_tokens=12", "cache_dir=null"]
    for devices in (1, 2):
        folder = tmp_path / str(devices)
        result = evaluate(*chosen, f"trainer.devices={devices}", f"output_dir={folder}")
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines()[-1] == str(folder)
        assert result.stdout.count("benchmark ") == 1
    answers = [(tmp_path / run / "predictions.jsonl").read_text() for run in "12"]
    assert answers[0] == answers[1]
    assert figures(tmp_path / "2") == figures(tmp_path / "1")
    # Killed before its last three answers.
    lines = answers[1].splitlines(keepends=True)
    (tmp_path / "2" / "predictions.jsonl").write_text("".join(lines[:-3]))
    resumed = evaluate(*chosen, "trainer.devices=2", f"resume={tmp_path}/2")
    assert resumed.returncode == 0, resumed.stderr
    assert (tmp_path / "2" / "predictions.jsonl").read_text() == answers[0]


@pytest.mark.slow
def test_ctrl_c_stops_both_processes_after_the_same_step(tmp_path: Path) -> None:
    command = [sys.executable, "train.py", *RUN, "stage.sft.steps=30", "trainer.devices=2"]
    process = subprocess.Popen(
        [*command, f"output_dir={tmp_path}"],
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    next(line for line in process.stderr if line.startswith("sft"))
    # A terminal sends it to the whole group.
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert stderr.count("To go on, type") == 1
    assert (tmp_path / "checkpoints" / "sft" / "last.ckpt").is_file()
    resumed = train(*RUN, "stage.sft.steps=30", "trainer.devices=2", f"resume={tmp_path}")
    assert resumed.returncode == 0, resumed.stderr


@pytest.mark.slow
def test_torchrun_starts_the_processes_of_one_run(tmp_path: Path) -> None:
    run = [*RUN, "stage.sft.steps=2", "stage.grpo.steps=1", "trainer.strategy=fsdp"]
    result = subprocess.run(
        [sys.executable, *TORCHRUN, str(ROOT / "train.py"), *run, "trainer.devices=2"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    (folder,) = tmp_path.glob("outputs/*/*")  # not one for each process
    assert result.stdout.splitlines()[-1] == str(folder)
    assert result.stdout.count("metric ") == 1
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()


@pytest.mark.slow
def test_one_process_is_the_first_whatever_the_variables_of_its_container_say(
    tmp_path: Path,
) -> None:
    run = [*RUN, "stage.sft.steps=1", "stage.grpo.steps=1", f"output_dir={tmp_path}"]
    result = subprocess.run(
        [sys.executable, "train.py", *run],
        cwd=ROOT,
        env=environment(RANK="3", LOCAL_RANK="3"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == str(tmp_path)
    assert "grpo 1/1" in result.stderr
    assert (tmp_path / "metrics.json").is_file()
    assert len([*tmp_path.glob("tensorboard/*/events.*")]) == 2


def start_in_slurm(rank: int, port: int, *arguments: str) -> subprocess.Popen[str]:
    """One of two processes, with the variables that Slurm sets."""
    slurm = {
        "SLURM_JOB_NAME": "train",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
        "SLURM_NODEID": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    return subprocess.Popen(
        [sys.executable, "train.py", *RUN, *arguments],
        cwd=ROOT,
        env=environment(**slurm),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_slurm_starts_the_processes_and_the_death_of_one_ends_both(tmp_path: Path) -> None:
    options = ["stage.sft.steps=300", "trainer.devices=2", f"output_dir={tmp_path}"]
    port = free_port()
    first, second = (start_in_slurm(rank, port, *options) for rank in (0, 1))
    assert first.stderr is not None
    seen = ""
    while not (line := first.stderr.readline()).startswith("sft"):
        seen += line
        assert line, seen
    start = time.monotonic()
    second.kill()
    _, told = first.communicate(timeout=60)
    assert time.monotonic() - start < 10
    assert first.returncode == 1
    assert "Traceback" not in told
    assert told.count("process 1 of 2 (counted from 0) is gone") == 1
    assert told.rstrip().endswith(f"resume={tmp_path}")
    _, told = second.communicate()
    assert told == ""


@pytest.mark.slow
def test_a_mistake_that_only_the_first_process_can_find_ends_both(tmp_path: Path) -> None:
    # No caption of the untrained base is well-formed.
    chosen = ["debug=tiny", "cache_dir=null", "data=world_captions", "reward=noun"]
    chosen += ["pipeline=[rejection_sampling]", "stage.rejection_sampling.images=2"]
    chosen += ["data.heldout_size=2", "stage.grpo.module.sampler.sampling.max_tokens=2"]
    result = train(*chosen, "trainer.devices=2", f"output_dir={tmp_path}/run")
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("so there is nothing to learn") == 1


def test_processes_that_would_each_train_alone_are_refused_once(tmp_path: Path) -> None:
    port = free_port()
    options = ["trainer.devices=1", f"output_dir={tmp_path}/run"]
    both = [start_in_slurm(rank, port, *options) for rank in (0, 1)]
    told = "".join(process.communicate()[1] for process in both)
    assert [process.returncode for process in both] == [2, 2]
    assert told.count("srun started 2 processes on a machine, and trainer.devices=1") == 1


def test_what_devices_cannot_share_is_an_error(tmp_path: Path) -> None:
    result = train(*RUN, "trainer.devices=3", f"output_dir={tmp_path}/run")
    assert result.returncode == 2
    assert "stage.grpo.prompts_per_step=4 cannot be shared by 3 devices" in result.stderr
    result = train("-m", *RUN, "trainer.devices=2", f"output_dir={tmp_path}/sweep")
    assert "type trainer.devices=1, or start the jobs one by one" in result.stderr
