"""Trains one policy with several processes: each takes a share of a step, and gradients add up.

Losses are divided by the counts of the whole step, so the sum of the gradients, not their mean, is
the gradient that a single process would have.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy, StrategyRegistry
from lightning.pytorch.utilities import rank_zero_only
from torch import distributed, nn

SUMMED_GRADIENTS = "summed_gradients"
"""Name of the strategy for ``lightning.Trainer``."""


class SummedGradients(DDPStrategy):
    """One process per device; gradients are exchanged between backward passes only.

    DistributedDataParallel's own wrapper exchanges them during each backward pass, but a process
    whose groups all have equal rewards makes no backward pass.
    """

    def __init__(self, **options: Any) -> None:
        # The others wait while the first process writes and reports.
        super().__init__(timeout=timedelta(days=1), **options)

    def configure_ddp(self) -> None:
        """Copy the weights of the first process to all others."""
        assert self.model is not None
        for parameter in trainable(self.model):
            distributed.broadcast(parameter.data, src=0)


def sum_gradients(module: nn.Module) -> None:
    """Give every process the gradients of the whole step."""
    if not distributed.is_initialized():
        return
    for parameter in trainable(module):
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        distributed.all_reduce(parameter.grad)


def trainable(module: nn.Module) -> Iterable[nn.Parameter]:
    """The trainable parameters."""
    return (parameter for parameter in module.parameters() if parameter.requires_grad)


StrategyRegistry.register(SUMMED_GRADIENTS, SummedGradients)


def is_first_process() -> bool:
    """Whether this is the first of the processes that train together, or the only one."""
    return getattr(rank_zero_only, "rank", 0) == 0
