"""Numbers of processes and strategies that cannot be are reported before anything is loaded."""

from collections.abc import Mapping
from typing import Any

import pytest

from groundrl.config.several_processes import process_problems
from groundrl.running.launched import runs_alone

STAGES = {"sft": {"prompts_per_step": 4}}
VARIABLES = ("TORCHELASTIC_RUN_ID", *(f"SLURM_{name}" for name in ("NTASKS", "NNODES", "JOB_NAME")))
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "2",
    "RANK": "0",
}
SLURM = {
    "SLURM_NTASKS": "2",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_NNODES": "1",
    "SLURM_PROCID": "0",
}


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def problems(trainer: Mapping[str, Any], **others: Any) -> list[str]:
    tree = {"trainer": dict(trainer), "pipeline": ["sft"], "stage": STAGES, **others}
    return [*process_problems(tree)]


@pytest.mark.parametrize("strategy", ["auto", "ddp", "fsdp"])
def test_devices_may_share_a_step_in_any_of_these_ways(strategy: str) -> None:
    assert problems({"devices": 2, "strategy": strategy}) == []


@pytest.mark.parametrize("strategy", ["auto", "ddp"])
def test_one_device_needs_no_strategy(strategy: str) -> None:
    assert problems({"devices": 1, "strategy": strategy}) == []


@pytest.mark.parametrize(
    ("strategy", "part"),
    [
        ("deepspeed_stage_2", "trainer.strategy=deepspeed_stage_2 is none that shares a step here"),
        ("fsdq", "did you mean 'fsdp'?"),
        ("dpp", "did you mean 'ddp'?"),
        (None, "(options: auto, ddp, fsdp)"),
    ],
)
@pytest.mark.parametrize("devices", [1, 2])
def test_another_strategy_is_refused_on_any_number_of_devices(
    strategy: str | None, part: str, devices: int
) -> None:
    (problem,) = problems({"devices": devices, "strategy": strategy})
    assert part in problem
    assert "type trainer.strategy=fsdp; else trainer.strategy=auto" in problem


def test_layers_are_not_split_on_one_device_nor_where_nothing_is_trained_nor_in_4_bits() -> None:
    (problem,) = problems({"devices": 1, "strategy": "fsdp"})
    assert "type trainer.devices=2, or more, or trainer.strategy=auto" in problem
    (problem,) = process_problems({"trainer": {"devices": 2, "strategy": "fsdp"}})
    assert "nothing is trained here" in problem
    (problem,) = problems({"devices": 2, "strategy": "fsdp"}, adapter={"kind": "qlora"})
    assert "type adapter=lora, or trainer.strategy=ddp" in problem


@pytest.mark.parametrize(
    ("found", "devices", "part"),
    [
        (TORCHRUN, 1, "type trainer.devices=2, or start it with torchrun --nproc-per-node 1"),
        (TORCHRUN, 4, "type trainer.devices=2, or start it with torchrun --nproc-per-node 4"),
        (SLURM, 1, "type trainer.devices=2, or start it with srun --ntasks-per-node=1"),
        (SLURM, [0], "type trainer.devices=2, or start it with srun --ntasks-per-node=1"),
        (SLURM | {"SLURM_NTASKS": "1"}, 2, "started 1 processes on a machine"),
    ],
)
def test_as_many_processes_are_started_as_there_are_devices(
    variables: pytest.MonkeyPatch, found: Mapping[str, str], devices: object, part: str
) -> None:
    for name, value in found.items():
        variables.setenv(name, value)
    (problem,) = problems({"devices": devices})
    assert part in problem
    assert problems({"devices": 2 if found.get("SLURM_NTASKS") != "1" else 1}) == []


def test_slurm_says_how_many_processes_run_on_a_machine(variables: pytest.MonkeyPatch) -> None:
    for name, value in SLURM.items():
        variables.setenv(name, value)
    variables.delenv("SLURM_NTASKS_PER_NODE")
    (problem,) = problems({"devices": 2})
    assert problem.endswith("type --ntasks-per-node=2 instead")


def test_machines_are_counted(variables: pytest.MonkeyPatch) -> None:
    for name, value in (SLURM | {"SLURM_NTASKS": "4", "SLURM_NNODES": "2"}).items():
        variables.setenv(name, value)
    (problem,) = problems({"devices": 2})
    assert problem.endswith("type +trainer.num_nodes=2")
    assert problems({"devices": 2, "num_nodes": 2}) == []
    variables.setenv("SLURM_NTASKS", "6")
    (problem,) = problems({"devices": 3, "num_nodes": 2})
    assert problem == (
        "stage.sft.prompts_per_step=4 cannot be shared by 3 devices of 2 machines: make it a "
        "multiple of 6"
    )


def test_what_cannot_work_with_several_devices_is_refused_with_what_to_type() -> None:
    (scaled,) = problems({"devices": 1, "precision": "16-mixed"})
    assert scaled.endswith("type trainer.precision=bf16-mixed")
    muon = {"sft": {**STAGES["sft"], "module": {"optimization": {"optimizer": "muon"}}}}
    (split,) = problems({"devices": 2, "strategy": "fsdp"}, stage=muon)
    assert split.endswith(
        "type stage.sft.module.optimization.optimizer=adamw, or trainer.strategy=ddp"
    )


def test_one_chosen_device_is_one() -> None:
    assert runs_alone({"devices": [3]})
    assert not runs_alone({"devices": [0, 1]})
