"""The base class of all training stages."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, cast

import lightning as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from PIL import Image
from torch import Tensor

from groundrl.metrics import check_declared
from groundrl.policy.policy import Policy
from groundrl.stages.strategy import sum_gradients, trainable


class Stage(L.LightningModule):
    """A LightningModule that trains a policy; its checkpoints leave the frozen base out.

    A subclass declares its ``metrics``, and in ``shown`` what its progress line shows. The trainer,
    the callbacks and the pipeline know this class only.
    """

    metrics: ClassVar[Mapping[str, str]] = {
        "lr": "Learning rate of the step.",
        "time/logging": "Seconds spent drawing rollouts, on the steps that draw them.",
    }
    """Name -> meaning of every metric that the stage logs; ``<term>`` stands for one word. A
    subclass writes ``{**Stage.metrics, "preferred/loss": "Mean cross-entropy per token, nats."}``.
    """
    shown: ClassVar[Mapping[str, str]] = {}
    """Metric -> how the progress line shows it: ``{"preferred/loss": "loss {:.3f}"}``."""
    prefetches: bool = False
    """Its batches are pairs: the examples of this step and those of the next one."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy
        self.strict_loading = False  # the frozen base is not in the checkpoint
        self.logged: dict[str, float] = {}
        """Metrics of the last step."""

    def log_step(self, metrics: Mapping[str, float | Tensor], step: int) -> None:
        """Write the metrics of a step; KeyError for names that the class does not declare.

        Not ``log_dict``, which would repeat the last value of a metric that this step lacks.
        """
        check_declared(metrics, self.metrics, type(self).__qualname__)
        self.logged = {
            name: value.item() if isinstance(value, Tensor) else value
            for name, value in metrics.items()
        }
        assert self.trainer.logger is not None
        self.trainer.logger.log_metrics(self.logged, step)

    def progress_figures(self) -> list[str]:
        """What the progress line shows of the last step; a metric that it lacks is left out."""
        return [
            text.format(self.logged[name])
            for name, text in self.shown.items()
            if name in self.logged
        ]

    def rollout_image(self) -> Image.Image | None:
        """An image of the last step's rollout for TensorBoard; None for a stage without one."""
        return None

    def optimizer_step_on(self, losses: Iterable[Tensor], max_grad_norm: float) -> float:
        """One optimizer step on the sum of ``losses``; returns the gradient norm before clipping.

        Each loss is a forward pass of its own, and only one of them is in memory at a time.
        """
        optimizer = cast(LightningOptimizer, self.optimizers())
        optimizer.zero_grad()
        for loss in losses:
            self.manual_backward(loss)
        sum_gradients(self)
        norm = torch.nn.utils.clip_grad_norm_(trainable(self), max_grad_norm)
        optimizer.step()
        return norm.item()

    def close(self) -> None:
        """Stop work in the background, after the last step and after a step that failed."""

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Save the trainable weights only; frozen base weights are never written."""
        checkpoint["state_dict"] = {
            name: p.detach() for name, p in self.named_parameters() if p.requires_grad
        }
