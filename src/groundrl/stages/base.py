"""What all stages have in common."""

from collections.abc import Iterable, Mapping
from typing import cast

import lightning as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from groundrl.metrics import check_names
from groundrl.policy.policy import Policy
from groundrl.stages.strategy import sum_gradients, trainable


class Stage(L.LightningModule):
    """A LightningModule for a policy; its checkpoints leave the frozen base out."""

    prefetches: bool = False
    """Its batches are pairs: this step's and the next one's."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy
        self.strict_loading = False  # the frozen base is not in the checkpoint
        self.logged: dict[str, float] = {}
        """Metrics of the last step."""

    def log_step(self, metrics: Mapping[str, float | Tensor], step: int) -> None:
        """Write the metrics of a step; KeyError for names that metrics.py does not declare.

        Not ``log_dict``, which would repeat the last value of a metric that this step lacks.
        """
        check_names(metrics)
        self.logged = {
            name: value.item() if isinstance(value, Tensor) else value
            for name, value in metrics.items()
        }
        assert self.trainer.logger is not None
        self.trainer.logger.log_metrics(self.logged, step)

    def optimizer_step_on(self, losses: Iterable[Tensor], max_grad_norm: float) -> float:
        """One optimizer step on the sum of ``losses``, each a forward pass of its own, of which
        only one is in memory at a time; returns the gradient's norm before it is cut."""
        optimizer = cast(LightningOptimizer, self.optimizers())
        optimizer.zero_grad()
        for loss in losses:
            self.manual_backward(loss)
        sum_gradients(self.policy)
        norm = torch.nn.utils.clip_grad_norm_(trainable(self.policy), max_grad_norm)
        optimizer.step()
        return norm.item()

    def close(self) -> None:
        """End what a step that failed has left under way."""

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Keep what learns; frozen base weights are never written."""
        checkpoint["state_dict"] = {
            name: p.detach() for name, p in self.named_parameters() if p.requires_grad
        }
