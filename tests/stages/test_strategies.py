"""Two processes end with the weights of one, however they share a step; also after a crash."""

from collections.abc import Callable

import pytest
import torch
from float64 import float64
from stage_runs import weights
from strategy_runs import Run, free_port, make_stage, train, work
from torch.multiprocessing.spawn import spawn

SHARED = [
    Run(stage=stage, adapter=adapter, strategy=strategy, checkpointing=checkpointing, cut=cut)
    for stage, adapter, checkpointing, cut in [
        ("sft", "none", False, True),
        ("sft", "lora", True, False),
        ("sft", "soft_prompt", False, False),
        ("grpo", "none", False, False),
        ("grpo", "lora", False, True),
        ("reward_model", "none", False, False),
        ("reward_model", "lora", False, True),
    ]
    for strategy in ("ddp", "fsdp")
]
Weights = dict[str, torch.Tensor]
Load = Callable[[Run, int], Weights]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """The weights of each process after each of ``SHARED``."""
    folder = tmp_path_factory.mktemp("runs")
    spawn(work, args=(free_port(), str(folder), SHARED), nprocs=2)
    return lambda run, rank: torch.load(folder / f"{run.name}_{rank}.pt")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Run], Weights]:
    """The weights after the stage of a run in one process."""
    folder = tmp_path_factory.mktemp("alone")
    found: dict[Run, Weights] = {}

    def run_alone(run: Run) -> Weights:
        one = Run(stage=run.stage, adapter=run.adapter, strategy="one")
        if one not in found:
            found[one] = train(one, folder)
        return found[one]

    return run_alone


@pytest.mark.slow
@pytest.mark.parametrize("run", SHARED, ids=lambda run: run.name)
def test_two_processes_end_with_the_weights_of_one(
    load: Load, alone: Callable[[Run], Weights], run: Run
) -> None:
    expected = alone(run)
    with float64():
        start = weights(make_stage(run))
    assert max((expected[name] - start[name]).abs().max().item() for name in start) > 1e-3
    for rank in (0, 1):
        found = load(run, rank)
        assert found.keys() == expected.keys()
        for name, weight in found.items():
            torch.testing.assert_close(weight, expected[name], rtol=0, atol=1e-6)
