"""The optimizers of a stage."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import nn

from groundrl.config_node import ConfigNode, too_small
from groundrl.stages.fitting.strategy import trainable
from groundrl.stages.muon import BETAS, muon_and_adamw


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """AdamW (arXiv 1711.05101) or Muon, linear warm-up, linear decay to ``final`` of the peak."""

    lr: float
    steps: int
    """Steps of the whole stage; in GRPO a step is a rollout."""
    warmup: int = 10
    """Steps until the learning rate is at its peak."""
    final: float = 0.1
    weight_decay: float = 0.0
    optimizer: Literal["adamw", "muon"] = "adamw"
    """``muon``: Muon for the weight matrices inside the network, AdamW for all other weights."""
    adamw_share: float = 0.2
    """AdamW's learning rate beside Muon, as a share of Muon's."""
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
        numbers = ("lr", "warmup", "weight_decay", "adamw_share", "max_skipped")
        yield from too_small(node, dict.fromkeys(numbers, 0))
        lr = node.options.get("lr")
        if isinstance(lr, float) and not lr < 1e9:
            yield f"{node.path}.lr={lr} is no learning rate: type {node.path}.lr=1e-3"

    def optimizers(self, module: nn.Module) -> list[torch.optim.Optimizer]:
        """Over the trainable parameters of ``module``."""
        if self.optimizer == "muon":
            learning = {n: p for n, p in module.named_parameters() if p.requires_grad}
            return muon_and_adamw([learning], self.weight_decay)
        return [
            torch.optim.AdamW(
                trainable(module), lr=self.lr, betas=BETAS, weight_decay=self.weight_decay
            )
        ]

    def set_lr(self, optimizers: Sequence[torch.optim.Optimizer], step: int) -> float:
        """Set the learning rates of ``step`` in ``optimizers`` and return the main one."""
        lr = self.lr * self.factor(step)
        for optimizer in optimizers:
            beside = self.optimizer == "muon" and isinstance(optimizer, torch.optim.AdamW)
            for group in optimizer.param_groups:
                group["lr"] = lr * (self.adamw_share if beside else 1.0)
        return lr

    def factor(self, step: int) -> float:
        """Share of the peak learning rate at ``step``."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 1 - (1 - self.final) * min(1.0, done)
