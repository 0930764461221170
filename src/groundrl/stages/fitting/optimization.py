"""The optimizer of a stage."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from groundrl.config_node import ConfigNode, too_small
from groundrl.stages.fitting.strategy import trainable


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """AdamW (arXiv 1711.05101), linear warm-up, linear decay to ``final`` of the peak."""

    lr: float
    steps: int
    """Steps of the whole stage; in GRPO a step is a rollout."""
    warmup: int = 10
    """Steps until the learning rate is at its peak."""
    final: float = 0.1
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    """Global gradient norm above which gradients are scaled down."""
    max_skipped: float = 0.0
    """Largest share of the steps that may be skipped because the loss or the gradient norm is not
    finite; 0: the first such step stops the run."""
    resource_options: ClassVar[frozenset[str]] = frozenset({"max_skipped"})

    @property
    def may_skip(self) -> int:
        """``max_skipped`` as a number of steps."""
        return int(self.max_skipped * self.steps)

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """No number of these is negative, and a rate is one that 32 bits can step with."""
        yield from too_small(
            node, dict.fromkeys(("lr", "warmup", "weight_decay", "max_skipped"), 0)
        )
        lr = node.options.get("lr")
        if isinstance(lr, float) and not lr < 1e9:
            yield f"{node.path}.lr={lr} is no learning rate: type {node.path}.lr=1e-3"

    def optimizer(self, module: nn.Module) -> torch.optim.AdamW:
        """Over the trainable parameters of ``module``."""
        return torch.optim.AdamW(
            trainable(module),
            lr=self.lr,
            betas=(0.9, 0.95),
            weight_decay=self.weight_decay,
        )

    def set_lr(self, optimizer: torch.optim.Optimizer, step: int) -> float:
        """Set the learning rate of ``step`` in ``optimizer`` and return it."""
        lr = self.lr * self.factor(step)
        for group in optimizer.param_groups:
            group["lr"] = lr
        return lr

    def factor(self, step: int) -> float:
        """Share of the peak learning rate at ``step``."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 1 - (1 - self.final) * min(1.0, done)
