"""The base class of all training stages."""

import logging
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, cast

import lightning as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.strategies import Strategy
from PIL import Image
from torch import Tensor

from groundrl.data.curriculum import KindOrder
from groundrl.errors import UserError
from groundrl.metrics import check_declared
from groundrl.policy.policy import Policy
from groundrl.rollout.lengths import pixel_option
from groundrl.running.full_memory import MemoryLimit, explain_full_memory
from groundrl.running.parallel import all_gather, is_first, whole_tensor
from groundrl.stages.fitting.passes import PassLosses
from groundrl.stages.fitting.strategy import (
    clip_gradients,
    idle_losses,
    splits_layers,
    sum_gradients,
    whole_weights,
)

logger = logging.getLogger(__name__)

SAMPLES_NAMED = 4
"""Of a step, in a message."""


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
    kind_order: KindOrder | None = None
    """Chooses among the samples by their kinds; None: they come in their order."""

    def __init__(self, policy: Policy, tokens_per_forward: int = sys.maxsize) -> None:
        """``tokens_per_forward``: of a forward pass of an update, at most, padding included; for
        ``memory_limit``, which halves it where memory is full."""
        super().__init__()
        self.policy = policy
        self.memory_limit = MemoryLimit("tokens", tokens_per_forward)
        self.strict_loading = False  # the frozen base is not in the checkpoint
        self.take_name("stage")
        self.logged: dict[str, float] = {}
        """Metrics of the last step."""
        self.skipped_steps = 0
        """Optimizer steps left out because the loss or the gradient was not finite."""
        self._step = 0
        self._samples: list[str] = []

    def take_name(self, name: str) -> None:
        """Take the name under which the pipeline runs the stage: messages use it."""
        self.name = name
        self.memory_limit.option = self.option("tokens_per_forward")

    def option(self, argument: str) -> str:
        """An argument of the module as it is typed on the command line."""
        return f"stage.{self.name}.module.{argument}"

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

    def sample_ids(self, batch: Any) -> list[str]:
        """Names of the samples of a batch, for messages."""
        return [sample.id for sample, _ in batch]

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Remember what an error has to name."""
        self._step, self._samples = batch_idx + 1, self.sample_ids(batch)

    def whole_weights(self) -> AbstractContextManager[None]:
        """Inside, every process holds all weights, also where processes split them (``fsdp``): for
        rollouts, and for what else is not the loss of an optimizer step."""
        return whole_weights(self._strategy)

    @property
    def _strategy(self) -> Strategy | None:
        """How processes share a step; None outside a fit."""
        return None if self._trainer is None else self._trainer.strategy

    def optimizer_step_on(
        self,
        losses: PassLosses | Sequence[Tensor],
        max_grad_norm: float,
        may_skip: int = 0,
    ) -> float:
        """One optimizer step on the sum of ``losses``; returns the gradient norm before clipping.

        Each loss is a forward pass of its own, and only one of them is in memory at a time;
        ``PassLosses`` become smaller where it is full. Where the loss or the norm is not finite, no
        weight changes: up to ``may_skip`` times in the stage; then UserError is raised.
        """
        found = self.optimizers()
        first, *others = cast(
            list[LightningOptimizer], found if isinstance(found, list) else [found]
        )

        def accumulate(losses: PassLosses | Sequence[Tensor]) -> Tensor:
            for optimizer in (first, *others):
                optimizer.zero_grad()
            total = torch.zeros((), device=self.device)
            idle = idle_losses(self._strategy, len(losses))
            for loss in losses:
                self.manual_backward(loss)
                total = total + loss.detach()
            for loss in idle:
                self.manual_backward(loss)
            return total

        if isinstance(losses, PassLosses) and not splits_layers(self._strategy):
            total = losses.until_they_fit(accumulate)
        else:  # processes that gather layers together cannot begin again alone
            total = accumulate(losses)
        sum_gradients(self)
        norm = clip_gradients(self, max_grad_norm)
        if not self.is_finite(total, norm, may_skip):
            for optimizer in (first, *others):
                optimizer.zero_grad()  # without gradients it changes nothing
        first.step()
        for other in others:
            other.optimizer.step()  # unwrapped: Lightning would count it as another step
        return norm.item()

    def explain_full_memory(self, lower: Mapping[str, object] = {}) -> AbstractContextManager[None]:
        """Around an update: where its longest row alone does not fit into memory, a UserError names
        ``lower`` (options with their values) and what else bounds a row."""
        on = self.policy.gradient_checkpointing
        ways = () if on else ("model.gradient_checkpointing=true",)
        lower = {**lower, **pixel_option(self.policy)}
        if splits_layers(self._strategy):  # the limit is not halved by itself, see the step
            lower = {self.option("tokens_per_forward"): self.memory_limit.size, **lower}
        return explain_full_memory(lower, (*ways, "model=<a smaller one>"))

    def is_finite(self, loss: Tensor, norm: Tensor, may_skip: int) -> bool:
        """Whether the loss and the gradient norm are; counts the step as skipped where not.

        Raises UserError where more than ``may_skip`` steps would be.
        """
        values = {"loss": loss.item(), "gradient norm": norm.item()}
        wrong = [f"the {name} is {x}" for name, x in values.items() if not math.isfinite(x)]
        wrong = [text for share in all_gather(wrong) for text in share]
        if not wrong:
            return True
        self.skipped_steps += 1
        error = self.not_finite(wrong[0])
        if self.skipped_steps > may_skip:
            raise error
        if is_first():
            logger.warning("%s (skipped, %d of %d)", error, self.skipped_steps, may_skip)
        return False

    def not_finite(self, what: str) -> UserError:
        """The error that something in the current step is not finite."""
        rates = [group["lr"] for group in self.trainer.optimizers[0].param_groups]
        named = ", ".join(self._samples[:SAMPLES_NAMED])
        more = len(self._samples) - SAMPLES_NAMED
        named += f" and {more} more" if more > 0 else ""
        return UserError(
            f"{self.name}, step {self._step}: {what}, at learning rate {max(rates):g}, on the "
            f"samples {named}. The checkpoint from before is kept. Lower "
            f"{self.option('optimization.lr')} and start a new run; where only few steps are so, "
            f"go on with resume=<run> {self.option('optimization.max_skipped')}=0.02"
        )

    def close(self) -> None:
        """Stop work in the background, after the last step and after a step that failed."""

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Save the trainable weights only; frozen base weights are never written."""
        checkpoint["state_dict"] = {
            name: whole_tensor(p.detach()) for name, p in self.named_parameters() if p.requires_grad
        }
        checkpoint["skipped_steps"] = self.skipped_steps

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Go on counting."""
        self.skipped_steps = checkpoint["skipped_steps"]
