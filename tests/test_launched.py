"""Who has started the processes of a run, by the variables that they leave."""

from collections.abc import Mapping

import pytest

from groundrl.running.launched import (
    Launched,
    how_machines_meet,
    how_started,
    launched,
    process_number,
    runs_alone,
)

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
CONTAINER = {"RANK": "3", "WORLD_SIZE": "1"}
MACHINES = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
NAMES = {*TORCHRUN, *SLURM, *MACHINES}


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
        (CONTAINER, None, 0),
        (CONTAINER | {"LOCAL_RANK": "1"}, None, 1),
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


@pytest.mark.parametrize(
    ("found", "nodes", "command", "words"),
    [
        ({}, 1, "python", ""),
        ({}, 2, "python", " on every machine, with NODE_RANK and MASTER_ADDR as before,"),
        (TORCHRUN | {"WORLD_SIZE": "2"}, 1, "torchrun --nproc-per-node=2", ""),
        (
            TORCHRUN,
            2,
            "torchrun --nnodes=2 --nproc-per-node=2",
            " on every machine (with the other options of torchrun as before)",
        ),
        (
            SLURM,
            2,
            "srun --nodes=2 --ntasks-per-node=4 python",
            " (with the other options of srun as before)",
        ),
    ],
)
def test_a_run_goes_on_as_it_was_started(
    variables: pytest.MonkeyPatch, found: Mapping[str, str], nodes: int, command: str, words: str
) -> None:
    for name, value in found.items():
        variables.setenv(name, value)
    start = how_started({"devices": 2, "num_nodes": nodes})
    assert (" ".join(start.command), start.words) == (command, words)
    alone = how_started({"devices": 1})
    assert (alone.command, alone.words) == (("python",), "")


def test_a_run_on_several_machines_says_what_it_waits_for(variables: pytest.MonkeyPatch) -> None:
    two = {"devices": 2, "num_nodes": 2}
    told = how_machines_meet(two)
    assert told is not None
    assert "NODE_RANK from 0 to 1 (here 0)" in told
    assert "MASTER_ADDR (here not set)" in told
    variables.setenv("MASTER_ADDR", "node7")
    assert "MASTER_ADDR (here node7)" in str(how_machines_meet(two))
    assert how_machines_meet({"devices": 2}) is None
    variables.setenv("LOCAL_RANK", "1")
    assert how_machines_meet(two) is None
    for name, value in TORCHRUN.items():
        variables.setenv(name, value)
    variables.setenv("RANK", "0")
    assert how_machines_meet(two) is None


def test_a_trainer_runs_alone_on_one_device_of_one_machine() -> None:
    assert runs_alone({})
    assert runs_alone({"devices": 1})
    assert not runs_alone({"devices": 2})
    assert not runs_alone({"devices": "auto"})
    assert not runs_alone({"devices": 1, "num_nodes": 2})
