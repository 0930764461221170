"""The processes of a run, one per device, and how they exchange values."""

from collections.abc import Callable
from typing import TypeVar, cast

from torch import Tensor, distributed
from torch.distributed.tensor import DTensor

T = TypeVar("T")


def rank() -> int:
    """Number of this process, from 0; one that is connected to no other is the first, whatever RANK
    says."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """Number of connected processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this is the process that writes files and prints."""
    return rank() == 0


def share_of(indices: range, number: int, count: int) -> list[int]:
    """The contiguous part of ``indices`` for process ``number`` of ``count``."""
    start, stop = (len(indices) * bound // count for bound in (number, number + 1))
    return [*indices[start:stop]]


def all_gather(value: T) -> list[T]:
    """The ``value`` of every process, by rank."""
    if not distributed.is_initialized():
        return [value]
    values: list[T] = [value] * world_size()
    distributed.all_gather_object(values, value)
    return values


def from_first(compute: Callable[[], T]) -> T:
    """What ``compute`` returns in the first process, which alone calls it: for what is read from
    the run's folder, of which others may see an older state where it is on a network."""
    return cast(T, all_gather(compute() if is_first() else None)[0])


def sum_metrics(shares: list[dict[str, float]]) -> dict[str, float]:
    """Sum per name; a process without a value for a name adds nothing."""
    names = {name: None for share in shares for name in share}
    return {name: sum(share.get(name, 0.0) for share in shares) for name in names}


def mean_metrics(shares: list[dict[str, float]]) -> dict[str, float]:
    """Mean per name, over the processes that have a value for it."""
    counts = sum_metrics([dict.fromkeys(share, 1.0) for share in shares])
    return {name: total / counts[name] for name, total in sum_metrics(shares).items()}


def whole_tensor(tensor: Tensor) -> Tensor:
    """The tensor of which each process has a part; any other one is returned as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def own_part(tensor: Tensor) -> Tensor:
    """The part that this process has of a tensor; all of any other one."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
