"""Optimizer steps on groups of completions with advantages: advantage -> loss -> weights."""

import operator
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor

from groundrl.losses import LOSS_METRICS, Normalizer, PolicyLoss
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.scoring import TokenLogprobs
from groundrl.rollout.sampler import Rollout
from groundrl.running.parallel import all_gather, sum_metrics
from groundrl.stages.base import Stage
from groundrl.stages.fitting.batches import (
    Batch,
    Group,
    completion_mask,
    loss_inputs,
    pack_groups,
    split_evenly,
    truncated_mask,
)
from groundrl.stages.fitting.optimization import Optimization


class PolicyGradientStage(Stage):
    """A stage that learns from groups of completions with advantages."""

    metrics: ClassVar[Mapping[str, str]] = {
        **Stage.metrics,
        **LOSS_METRICS,
        "policy/entropy": "Entropy of the policy per completion token, nats.",
        "policy/grad_norm": "Global gradient norm before clipping.",
    }

    def __init__(
        self,
        policy: Policy,
        loss: PolicyLoss,
        optimization: Optimization,
        temperature: float,
        num_epochs: int,
        num_minibatches: int,
        tokens_per_forward: int,
    ) -> None:
        """``temperature``: that of the sampler; the others as in ``GRPOModule``."""
        super().__init__(policy)
        self.automatic_optimization = False
        self.loss = loss
        self.optimization = optimization
        self.temperature = temperature
        self.num_epochs = num_epochs
        self.num_minibatches = num_minibatches
        self.tokens_per_forward = tokens_per_forward
        if loss.kl_coef:
            policy.fix_reference()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW on what the adapter leaves trainable."""
        return self.optimization.optimizer(self.policy)

    def update(self, rollout: Rollout, learning: Mapping[int, Group]) -> dict[str, float]:
        """All optimizer steps on one rollout; returns the mean of the loss's metrics.

        ``learning``: the groups that are learned from, by their number in ``rollout``. Every
        process makes the same number of steps, also where none of its own groups learns.
        """
        minibatches = []
        with self.whole_weights() if self.compares_logprobs else nullcontext():
            for part in split_evenly(len(rollout.groups), self.num_minibatches):
                own = [learning[index] for index in part if index in learning]
                if any(all_gather(bool(own))):
                    batches = [
                        self.make_batch(groups)
                        for groups in pack_groups(
                            own, self.tokens_per_forward, self.policy.prefix_sharing
                        )
                    ]
                    minibatches.append((batches, self.normalizer(rollout, part)))
        totals: dict[str, float] = {}
        for _ in range(self.num_epochs):
            for batches, normalizer in minibatches:
                for name, value in self.optimize(batches, normalizer).items():
                    totals[name] = totals.get(name, 0.0) + value
        steps = self.num_epochs * len(minibatches)
        return {name: total / steps for name, total in totals.items()}

    def normalizer(self, rollout: Rollout, part: range) -> Normalizer:
        """The denominators of an optimizer step on the groups of ``part``, of all processes.

        They count groups of zero variance too: neither splitting a step nor skipping groups that
        have no gradient changes anything.
        """
        completions = [one for index in part for one in rollout.groups[index].completions]
        own = self.loss.normalizer(completion_mask(completions), truncated_mask(completions))
        return reduce(operator.add, all_gather(own))

    @property
    def on_policy(self) -> bool:
        """Whether the weights of the one optimizer step are those that sampled."""
        return self.num_epochs * self.num_minibatches == 1

    @property
    def compares_logprobs(self) -> bool:
        """Whether the loss reads log-probabilities of other weights than the current ones."""
        return not self.on_policy or bool(self.loss.kl_coef)

    def make_batch(self, groups: list[Group]) -> Batch:
        """Old and reference log-probabilities, only where the loss will read them."""
        with torch.no_grad():
            old = None if self.on_policy else self.logprobs(groups).logprobs
        ref = None
        if self.loss.kl_coef:
            with self.policy.reference():
                ref = self.logprobs(groups).logprobs
        return Batch(groups=groups, old_logprobs=old, ref_logprobs=ref)

    def logprobs(self, groups: list[Group]) -> TokenLogprobs:
        """Of all completions of ``groups``, at the sampling temperature."""
        return self.policy.logprobs(
            [group.prompt for group in groups],
            [group.completions for group in groups],
            [group.features for group in groups],
            temperature=self.temperature,
        )

    def optimize(self, batches: list[Batch], normalizer: Normalizer) -> dict[str, float]:
        """One optimizer step, its gradient accumulated over the forward passes."""
        totals: dict[str, float] = {}

        def losses() -> Iterator[Tensor]:
            for batch in batches:
                scored = self.logprobs(batch.groups)
                inputs = loss_inputs(batch, scored)
                output = self.loss(inputs, normalizer)
                yield output.loss
                mask = self.loss.loss_mask(scored.mask, inputs.truncated)
                entropy = (scored.entropy * mask).sum() / normalizer.tokens.clamp(min=1)
                for name, value in {**output.metrics, "policy/entropy": entropy}.items():
                    totals[name] = totals.get(name, 0.0) + value.item()

        norm = self.optimizer_step_on(
            losses(), self.optimization.max_grad_norm, self.optimization.may_skip, len(batches)
        )
        return sum_metrics(all_gather(totals)) | {"policy/grad_norm": norm}
