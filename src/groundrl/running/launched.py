"""Which of several processes this is, where torchrun or Slurm has started them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHELLS = ("bash", "interactive")
"""Slurm jobs of these names are a person's shell: a program in it starts its own processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """The processes of which this is one."""

    by: str
    """The program that started them: torchrun or srun."""
    nodes: int
    per_node: int
    """Processes on each node."""
    rank: int
    """Number of this process among all, from 0."""


def launched() -> Launched | None:
    """None where nothing but this program starts its processes."""
    env = os.environ
    if "TORCHELASTIC_RUN_ID" in env:
        per_node = int(env["LOCAL_WORLD_SIZE"])
        nodes = int(env["WORLD_SIZE"]) // per_node
        return Launched(by="torchrun", nodes=nodes, per_node=per_node, rank=int(env["RANK"]))
    if "SLURM_NTASKS" in env and env.get("SLURM_JOB_NAME") not in SHELLS:
        nodes = int(env.get("SLURM_NNODES", "1"))
        per_node = max(1, int(env["SLURM_NTASKS"]) // nodes)
        rank = int(env.get("SLURM_PROCID", "0"))
        return Launched(by="srun", nodes=nodes, per_node=per_node, rank=rank)
    return None


def process_number() -> int:
    """The rank of this process, from 0, before the processes are connected."""
    found = launched()
    if found is not None:
        return found.rank
    # Of a process that Lightning started.
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))


def runs_alone(trainer: Mapping[str, Any]) -> bool:
    """Whether a trainer with these options runs in one process."""
    devices = trainer.get("devices", 1)
    one = devices == 1 or (isinstance(devices, Sequence) and len(devices) == 1)
    return one and trainer.get("num_nodes", 1) == 1
