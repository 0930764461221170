"""What all contenders of a step share: its settings, and how memory is counted."""

import gc
from pathlib import Path

import torch

STEPS = 7
"""The first one prepares kernels, the last one watches the memory: their time does not count."""
COUNTED = slice(1, -1)
KL_COEF = 0.04
RANK, ALPHA = 8, 16

Figures = dict[str, float]


def in_use(device: str, peak: bool = False) -> float:
    """MB now, or at most since the last ``forget_peak``."""
    if device != "cpu":
        used = torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()
        return used / 1e6
    field = "VmHWM" if peak else "VmRSS"
    (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(field)]
    return int(line.split()[1]) * 1024 / 1e6


def forget_peak(device: str) -> None:
    """Start counting anew."""
    gc.collect()
    if device == "cpu":
        Path("/proc/self/clear_refs").write_text("5")
    else:
        torch.cuda.reset_peak_memory_stats()
