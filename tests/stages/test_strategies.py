"""Two processes end with the weights of one, however they share a step; also after a crash."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from stage_runs import weights
from strategy_runs import Run, free_port, make_stage, train, work
from torch.multiprocessing.spawn import spawn

DDP = [
    Run(stage="sft", adapter="none", strategy="ddp", cut=True),
    Run(stage="sft", adapter="lora", strategy="ddp", checkpointing=True),
    Run(stage="sft", adapter="soft_prompt", strategy="ddp"),
    Run(stage="grpo", adapter="none", strategy="ddp"),
    Run(stage="grpo", adapter="lora", strategy="ddp", cut=True),
    Run(stage="reward_model", adapter="none", strategy="ddp"),
    Run(stage="reward_model", adapter="lora", strategy="ddp", cut=True),
]
SHARED = [*DDP, *(replace(run, strategy="fsdp") for run in DDP)]
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes leave."""
    path = tmp_path_factory.mktemp("runs")
    spawn(work, args=(free_port(), str(path), SHARED), nprocs=2)
    return path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Run], Weights]:
    """The weights after the stage of a run in one process."""
    place = tmp_path_factory.mktemp("alone")
    found: dict[Run, Weights] = {}

    def run_alone(run: Run) -> Weights:
        one = replace(run, strategy="one", cut=False)
        if one not in found:
            found[one] = train(one, place)
        return found[one]

    return run_alone


@pytest.mark.slow
@pytest.mark.parametrize("run", SHARED, ids=lambda run: run.name)
def test_two_processes_end_with_the_weights_of_one(
    folder: Path, alone: Callable[[Run], Weights], run: Run
) -> None:
    expected = alone(run)
    with run.precision():
        start = weights(make_stage(run))
    assert max((expected[name] - start[name]).abs().max().item() for name in start) > 1e-3
    for rank in (0, 1):
        found = torch.load(folder / f"{run.name}_{rank}.pt")
        assert found.keys() == expected.keys()
        for name, weight in found.items():
            torch.testing.assert_close(weight, expected[name], rtol=0, atol=1e-6)


@pytest.mark.slow
def test_each_process_holds_half_of_the_layers(folder: Path) -> None:
    for rank in (0, 1):
        held = torch.load(folder / f"held_{rank}.pt")
        assert held["split"] == held["before"] / 2
        assert held["whole"] == held["before"]
