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
    """The rank of this process, from 0, before the processes are connected; of those that
    Lightning starts that on its machine."""
    found = launched()
    # Not RANK, which containers set for processes that know nothing of each other.
    return found.rank if found is not None else int(os.environ.get("LOCAL_RANK", "0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How the script of a run is started."""

    command: tuple[str, ...]
    """Words before the script."""
    words: str = ""
    """About what the process does not know of the command, to be read before it."""


def how_started(trainer: Mapping[str, Any]) -> Start:
    """How a run with these options of its trainer was started, in effect."""
    found = launched()
    if runs_alone(trainer):
        return Start(command=("python",))
    if found is None:
        machines = trainer.get("num_nodes", 1) != 1
        words = " on every machine, with NODE_RANK and MASTER_ADDR as before," if machines else ""
        return Start(command=("python",), words=words)
    if found.by == "srun":
        numbers = f"--nodes={found.nodes}", f"--ntasks-per-node={found.per_node}"
        words = " (with the other options of srun as before)"
        return Start(command=("srun", *numbers, "python"), words=words)
    command = ("torchrun", f"--nproc-per-node={found.per_node}")
    if found.nodes == 1:
        return Start(command=command)
    words = " on every machine (with the other options of torchrun as before)"
    return Start(command=(*command[:1], f"--nnodes={found.nodes}", *command[1:]), words=words)


def how_machines_meet(trainer: Mapping[str, Any]) -> str | None:
    """What a run on several machines waits for, where nothing starts all its processes; None for
    any other run, and for processes that say nothing."""
    nodes = trainer.get("num_nodes", 1)
    if nodes == 1 or launched() is not None or process_number():
        return None
    address = os.environ.get("MASTER_ADDR", "not set")
    port = os.environ.get("MASTER_PORT", "not set")
    return (
        f"waiting for the other machines (trainer.num_nodes={nodes}): start this command on each, "
        f"with NODE_RANK from 0 to {nodes - 1} (here {os.environ.get('NODE_RANK', '0')}), and on "
        f"all of them MASTER_ADDR (here {address}), the address of the one with NODE_RANK=0, and "
        f"MASTER_PORT (here {port}), a free port of it; or start it with torchrun or srun"
    )


def runs_alone(trainer: Mapping[str, Any]) -> bool:
    """Whether a trainer with these options runs in one process."""
    devices = trainer.get("devices", 1)
    one = devices == 1 or (isinstance(devices, Sequence) and len(devices) == 1)
    return one and trainer.get("num_nodes", 1) == 1
