"""Several processes, one per device, that share the work of a run."""

import os
from typing import TypeVar

from torch import distributed

T = TypeVar("T")


def rank() -> int:
    """Number of this process, from 0."""
    if distributed.is_initialized():
        return distributed.get_rank()
    # Known from the launcher before the processes are connected.
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))


def world_size() -> int:
    """Number of connected processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this process writes files and talks."""
    return rank() == 0


def share_of(indices: range, number: int, count: int) -> list[int]:
    """The part of process ``number`` of ``count``; parts follow each other."""
    start, stop = (len(indices) * bound // count for bound in (number, number + 1))
    return [*indices[start:stop]]


def all_gather(value: T) -> list[T]:
    """What each process has, in the order of their ranks."""
    if not distributed.is_initialized():
        return [value]
    values: list[T] = [value] * world_size()
    distributed.all_gather_object(values, value)
    return values


def sum_metrics(shares: list[dict[str, float]]) -> dict[str, float]:
    """Per name; a process that had nothing to learn has no names."""
    names = {name: None for share in shares for name in share}
    return {name: sum(share.get(name, 0.0) for share in shares) for name in names}


def mean_metrics(shares: list[dict[str, float]]) -> dict[str, float]:
    """Per name, over the processes that have it."""
    counts = sum_metrics([dict.fromkeys(share, 1.0) for share in shares])
    return {name: total / counts[name] for name, total in sum_metrics(shares).items()}
