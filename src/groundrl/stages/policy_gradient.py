"""Optimizer steps on groups of completions with advantages: advantage -> loss -> weights."""

import operator
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor

from groundrl.losses import LOSS_METRICS, Normalizer, PolicyLoss
from groundrl.policy.passes import ForwardPass, pack
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.scoring import TokenLogprobs
from groundrl.rollout.sampler import Rollout
from groundrl.running.parallel import all_gather, sum_metrics
from groundrl.stages.base import Stage
from groundrl.stages.fitting.batches import (
    Group,
    completion_mask,
    loss_inputs,
    split_evenly,
    truncated_mask,
)
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.fitting.passes import PassLosses


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
        super().__init__(policy, tokens_per_forward)
        self.automatic_optimization = False
        self.loss = loss
        self.optimization = optimization
        self.temperature = temperature
        self.num_epochs = num_epochs
        self.num_minibatches = num_minibatches
        if loss.kl_coef:
            policy.fix_reference()

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Those of what the adapter leaves trainable."""
        return self.optimization.optimizers(self.policy)

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
                    minibatches.append((self.passes(own), self.normalizer(rollout, part)))
        totals: dict[str, float] = {}
        for _ in range(self.num_epochs):
            for passes, normalizer in minibatches:
                for name, value in self.optimize(passes, normalizer).items():
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

    def passes(self, groups: Sequence[Group]) -> list[ForwardPass[Group]]:
        """Passes over the groups, with the log-probabilities that the loss will read."""
        # Without prefix sharing every completion is a row.
        split_at = None if self.policy.prefix_sharing else 0
        packed = pack(groups, self.memory_limit.size, split_at)
        if not self.compares_logprobs:
            return packed
        found: list[ForwardPass[Group]] = []
        for one, attempt in self.memory_limit.attempts(packed):
            with attempt:
                found.append(self.with_logprobs(one))
        return found

    @property
    def on_policy(self) -> bool:
        """Whether the weights of the one optimizer step are those that sampled."""
        return self.num_epochs * self.num_minibatches == 1

    @property
    def compares_logprobs(self) -> bool:
        """Whether the loss reads log-probabilities of other weights than the current ones."""
        return not self.on_policy or bool(self.loss.kl_coef)

    def with_logprobs(self, one: ForwardPass[Group]) -> ForwardPass[Group]:
        """Old and reference log-probabilities, only where the loss will read them."""
        sizes = [len(group.completions) for group in one.rows]
        old = ref = [None] * len(sizes)
        if not self.on_policy:
            with torch.no_grad():
                old = self.logprobs(one.rows).logprobs.split(sizes)
        if self.loss.kl_coef:
            with self.policy.reference():
                ref = self.logprobs(one.rows).logprobs.split(sizes)
        return ForwardPass(
            rows=[
                replace(group, old_logprobs=own_old, ref_logprobs=own_ref)
                for group, own_old, own_ref in zip(one.rows, old, ref, strict=True)
            ]
        )

    def logprobs(self, groups: Sequence[Group]) -> TokenLogprobs:
        """Of all completions of ``groups``, at the sampling temperature."""
        return self.policy.logprobs(
            [group.prompt for group in groups],
            [group.completions for group in groups],
            [group.features for group in groups],
            temperature=self.temperature,
        )

    def optimize(
        self, passes: Sequence[ForwardPass[Group]], normalizer: Normalizer
    ) -> dict[str, float]:
        """One optimizer step, its gradient accumulated over the forward passes."""

        def loss_of(one: ForwardPass[Group]) -> tuple[Tensor, dict[str, Tensor]]:
            scored = self.logprobs(one.rows)
            inputs = loss_inputs(one.rows, scored)
            output = self.loss(inputs, normalizer)
            mask = self.loss.loss_mask(scored.mask, inputs.truncated)
            entropy = (scored.entropy * mask).sum() / normalizer.tokens.clamp(min=1)
            return output.loss, {**output.metrics, "policy/entropy": entropy}

        losses = PassLosses(self.memory_limit, passes, loss_of)
        norm = self.optimizer_step_on(
            losses, self.optimization.max_grad_norm, self.optimization.may_skip
        )
        return sum_metrics(all_gather(losses.metrics)) | {"policy/grad_norm": norm}
