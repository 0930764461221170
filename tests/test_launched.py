"""Who has started the processes of a run, by the variables that they leave."""

from collections.abc import Mapping

import pytest

from groundrl.running.launched import Launched, launched, process_number, runs_alone

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "WORLD_SIZE": "4",
    "LOCAL_WORLD_SIZE": "2",
    "RANK": "3",
    "LOCAL_RANK": "1",
}
SLURM = {
    "SLURM_NTASKS": "8",
    "SLURM_NNODES": "2",
    "SLURM_PROCID": "5",
    "SLURM_JOB_NAME": "train",
}
NAMES = {*TORCHRUN, *SLURM}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("found", "expected", "rank"),
    [
        ({}, None, 0),
        ({"LOCAL_RANK": "1"}, None, 1),  # of Lightning
        (TORCHRUN, Launched(by="torchrun", nodes=2, per_node=2, rank=3), 3),
        (SLURM, Launched(by="srun", nodes=2, per_node=4, rank=5), 5),
        (SLURM | TORCHRUN, Launched(by="torchrun", nodes=2, per_node=2, rank=3), 3),
        (SLURM | {"SLURM_JOB_NAME": "bash"}, None, 0),
    ],
)
def test_processes_know_who_has_started_them(
    variables: pytest.MonkeyPatch, found: Mapping[str, str], expected: Launched | None, rank: int
) -> None:
    for name, value in found.items():
        variables.setenv(name, value)
    assert launched() == expected
    assert process_number() == rank


def test_a_trainer_runs_alone_on_one_device_of_one_machine() -> None:
    assert runs_alone({})
    assert runs_alone({"devices": 1})
    assert not runs_alone({"devices": 2})
    assert not runs_alone({"devices": "auto"})
    assert not runs_alone({"devices": 1, "num_nodes": 2})
