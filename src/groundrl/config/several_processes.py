"""What concerns the processes of a run: how many there are, who starts them, how they share."""

import os
from collections.abc import Iterator
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from groundrl.config.problems import did_you_mean
from groundrl.config_node import value_at
from groundrl.running.launched import Launched, launched, runs_alone

PER_NODE = "SLURM_NTASKS_PER_NODE"
STRATEGIES = ("auto", "ddp", "fsdp")


def process_problems(tree: dict[str, Any]) -> Iterator[str]:
    """Numbers of processes and strategies that cannot be."""
    trainer = tree.get("trainer")
    if not isinstance(trainer, dict):
        return
    devices = trainer.get("devices", 1)
    if isinstance(devices, int) and (devices == 0 or devices < -1):
        yield f"trainer.devices={devices} leaves no device to run on: type trainer.devices=1"
        return
    if trainer.get("precision") == "16-mixed":
        yield (
            "trainer.precision=16-mixed scales gradients, which are clipped here as they are: type "
            "trainer.precision=bf16-mixed"
        )
    yield from _strategy_problems(tree, trainer)
    found = launched()
    if found is not None:
        yield from _launcher_problems(trainer, found)
    if not runs_alone(trainer):
        yield from _sharing_problems(tree, trainer)


def _strategy_problems(tree: dict[str, Any], trainer: dict[str, Any]) -> Iterator[str]:
    strategy = trainer.get("strategy", "auto")
    if strategy not in STRATEGIES:
        yield (
            f"trainer.strategy={strategy} is none that shares a step here (options: "
            f"{', '.join(STRATEGIES)}){did_you_mean(str(strategy), STRATEGIES)}. Where one device "
            "has too little memory, type trainer.strategy=fsdp; else trainer.strategy=auto"
        )
    if strategy != "fsdp":
        return
    if runs_alone(trainer):
        yield (
            "trainer.strategy=fsdp splits layers among devices, and trainer.devices=1 is one: type "
            "trainer.devices=2, or more, or trainer.strategy=auto"
        )
    if "pipeline" not in tree:
        yield (
            "trainer.strategy=fsdp splits what training needs, and nothing is trained here: type "
            "trainer.strategy=auto, with which devices share the questions"
        )
    for name in tree.get("pipeline", ()):
        option = f"stage.{name}.module.optimization.optimizer"
        if value_at(tree, option) == "muon":
            yield (
                f"{option}=muon reads whole matrices, which trainer.strategy=fsdp splits: type "
                f"{option}=adamw, or trainer.strategy=ddp"
            )
    if value_at(tree, "adapter.kind") == "qlora":
        yield (
            "trainer.strategy=fsdp cannot split the 4-bit weights of adapter=qlora: type "
            "adapter=lora, or trainer.strategy=ddp"
        )


def _launcher_problems(trainer: dict[str, Any], found: Launched) -> Iterator[str]:
    devices, nodes = _count(trainer.get("devices", 1)), trainer.get("num_nodes", 1)
    if devices not in (None, found.per_node):
        start = {
            "torchrun": f"torchrun --nproc-per-node {devices}",
            "srun": f"srun --ntasks-per-node={devices}",
        }
        yield (
            f"{found.by} started {found.per_node} processes on a machine, and "
            f"trainer.devices={trainer.get('devices', 1)}: type trainer.devices={found.per_node}, "
            f"or start it with {start[found.by]}"
        )
    elif found.by == "srun" and found.per_node > 1 and PER_NODE not in os.environ:
        yield (
            f"Slurm was asked for --ntasks, which does not say how many run on each machine: type "
            f"--ntasks-per-node={found.per_node} instead"
        )
    if nodes != found.nodes:
        yield (
            f"{found.by} started processes on {found.nodes} machines, and trainer.num_nodes is "
            f"{nodes}: type +trainer.num_nodes={found.nodes}"
        )


def _sharing_problems(tree: dict[str, Any], trainer: dict[str, Any]) -> Iterator[str]:
    devices, nodes = trainer.get("devices", 1), trainer.get("num_nodes", 1)
    pipeline = tree.get("pipeline", [])
    if "pretrain" in pipeline:
        yield f"trainer.devices={devices}, but pretraining runs on one: type trainer.devices=1"
    if HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN:
        yield (
            f"trainer.devices={devices} with -m, but the processes of a job would outlive it: "
            "type trainer.devices=1, or start the jobs one by one"
        )
    count = _count(devices)
    stages = tree.get("stage", {})
    if count is None or not isinstance(nodes, int):
        return
    for name in pipeline:
        prompts = stages.get(name, {}).get("prompts_per_step")
        if isinstance(prompts, int) and prompts % (count * nodes):
            machines = f" of {nodes} machines" if nodes > 1 else ""
            yield (
                f"stage.{name}.prompts_per_step={prompts} cannot be shared by {count} devices"
                f"{machines}: make it a multiple of {count * nodes}"
            )


def _count(devices: object) -> int | None:
    """How many devices are meant; None where the machine decides."""
    if isinstance(devices, list):
        return len(devices)
    return devices if isinstance(devices, int) and devices > 0 else None
