"""GRPO: sample groups, score them, and raise what was better than its group (arXiv 2402.03300)."""

import operator
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, reduce
from typing import cast

import torch
from jaxtyping import Float
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from groundrl.advantages import Advantage
from groundrl.losses import Normalizer, PolicyLoss
from groundrl.parallel import all_gather, mean_metrics, rank, sum_metrics, world_size
from groundrl.policy.layout import pack_rows, row_length
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example
from groundrl.policy.scoring import TokenLogprobs
from groundrl.rewards.base import RewardSum
from groundrl.rollout.base import RolloutEngine
from groundrl.rollout.memory import explain_full_memory, pixel_option
from groundrl.rollout.sampler import PendingRollout, Rollout, Sampler
from groundrl.stages.base import Stage
from groundrl.stages.batches import (
    Batch,
    Group,
    completion_mask,
    learning_groups,
    loss_inputs,
    minibatches,
    truncated_mask,
)
from groundrl.stages.optimization import Optimization
from groundrl.stages.prefetch import RolloutPrefetch
from groundrl.stages.rollout_metrics import rollout_metrics
from groundrl.stages.scoring import ScoredRollout, Scoring


class GRPOModule(Stage):
    """One training step: rollout -> reward -> advantage -> loss, each computed once."""

    def __init__(
        self,
        policy: Policy,
        engine: RolloutEngine,
        sampler: Callable[[RolloutEngine], Sampler],
        reward: RewardSum,
        advantage: Advantage,
        loss: PolicyLoss,
        optimization: Optimization,
        num_epochs: int = 1,
        num_minibatches: int = 1,
        tokens_per_forward: int = 8192,
        resample: int = 0,
    ) -> None:
        """``num_epochs`` passes over each rollout, each in ``num_minibatches`` optimizer steps;
        ``tokens_per_forward``, padding included, bounds memory and changes no result;
        ``resample`` rounds draw prompts anew whose rewards are all equal, and groups that are then
        still equal are left out of the update."""
        super().__init__(policy)
        self.automatic_optimization = False
        self.sampler = sampler(engine)
        self.prefetch = RolloutPrefetch(self.sampler)
        self.prefetches = engine.prefetch > 0
        self.reward = reward
        self.advantage = advantage
        self.loss = loss
        self.optimization = optimization
        self.num_epochs = num_epochs
        self.num_minibatches = num_minibatches
        self.tokens_per_forward = tokens_per_forward
        self.resample = resample
        self.rollouts_done = 0
        if loss.kl_coef:
            policy.fix_reference()
        self.seconds: dict[str, float] = {}
        self.tokens = 0
        """Sampled in this step."""
        self.last: ScoredRollout | None = None
        """What the last step learned from, for images."""
        self.last_advantages = torch.zeros(0, 0)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW on what the adapter leaves trainable."""
        return self.optimization.optimizer(self.policy)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Randomness depends on the step, so the step is part of the state."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["rollouts_done"] = self.rollouts_done
        checkpoint["prefetched"] = self.prefetch.state()

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Go on with the next rollout."""
        self.rollouts_done = checkpoint["rollouts_done"]
        self.prefetch.restore(checkpoint["prefetched"])

    def close(self) -> None:
        """Let go of the next step's rollout."""
        self.prefetch.close()

    def training_step(
        self, batch: list[Example] | tuple[list[Example], list[Example]], batch_index: int
    ) -> None:
        """One rollout and the optimizer steps on it."""
        examples, following = batch if isinstance(batch, tuple) else (batch, None)
        self.seconds, self.tokens = {}, 0
        start, looked = time.perf_counter(), self.policy.tower.seconds
        optimizer = cast(LightningOptimizer, self.optimizers())
        lr = self.optimization.set_lr(optimizer.optimizer, self.rollouts_done)
        first = self.roll(partial(self.prefetch.take, self.policy, examples))
        drawn = self.resampled(first)
        advantages = self.advantages(drawn.rewards)
        if following is not None and batch_index + 1 < self.trainer.num_training_batches:
            with self.timed("rollout"):
                self.prefetch.begin(self.policy, following, self.rollouts_done + 1)
        with self.timed("update"), explain_full_memory(self.update_memory()):
            learning = learning_groups(drawn.rollout, advantages, drawn.equal)
            learned = self.update(drawn.rollout, learning)
        self.rollouts_done += 1
        self.seconds["step"] = time.perf_counter() - start
        self.seconds["vision"] = self.policy.tower.seconds - looked
        self.last, self.last_advantages = drawn, advantages
        # What is drawn until its rewards differ says nothing about the policy.
        metrics = rollout_metrics(first, self.reward) | self.times()
        if self.resample:
            rescued = sum(first.equal) - sum(drawn.equal)
            metrics["group/rescued_frac"] = rescued / len(examples)
        metrics["advantage/mean"] = advantages.mean().item()
        metrics["advantage/abs_mean"] = advantages.abs().mean().item()
        self.log_step(mean_metrics(all_gather(metrics)) | learned | {"lr": lr}, self.rollouts_done)

    def roll(self, begin: Callable[..., PendingRollout]) -> ScoredRollout:
        """Groups that are scored as they come."""
        with Scoring(self.reward) as scoring:
            with self.timed("rollout"), explain_full_memory(self.rollout_memory()):
                rollout = begin(step=self.rollouts_done).collect(scoring.take)
            with self.timed("reward"):
                scored = ScoredRollout(rollout=rollout, scores=scoring.scores())
        self.tokens += scored.tokens
        return scored

    def resampled(self, first: ScoredRollout) -> ScoredRollout:
        """Prompts whose rewards are all equal get new groups, as long as there are rounds left
        (after the dynamic sampling of DAPO, arXiv 2503.14476, section 3.2)."""
        drawn = first
        for round in range(1, self.resample + 1):
            equal = [i for i, is_equal in enumerate(drawn.equal) if is_equal]
            if not equal:
                break
            begin = partial(self.sampler.resample, self.policy, first.rollout, equal, round=round)
            drawn = drawn.with_groups(equal, self.roll(begin))
        return drawn

    def advantages(self, rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
        """Some kinds compare all groups of the step, those of the other processes included."""
        shares = all_gather(rewards)
        return self.advantage(torch.cat(shares)).split([len(share) for share in shares])[rank()]

    def update(self, rollout: Rollout, learning: Mapping[int, Group]) -> dict[str, float]:
        """All optimizer steps on one rollout; returns the mean of the loss's metrics.

        Every process makes the same steps, also where none of its own groups learns.
        """
        updates = []
        for part in minibatches(len(rollout.groups), self.num_minibatches):
            own = [learning[index] for index in part if index in learning]
            if any(all_gather(bool(own))):
                # The denominators belong to the whole optimizer step: neither splitting it nor
                # skipping groups that have no gradient changes anything.
                said = [one for index in part for one in rollout.groups[index].completions]
                shares = all_gather(
                    self.loss.normalizer(completion_mask(said), truncated_mask(said))
                )
                batches = [self.batch(groups) for groups in self.passes(own)]
                updates.append((batches, reduce(operator.add, shares)))
        totals: dict[str, float] = {}
        steps = 0
        for _ in range(self.num_epochs):
            for batches, normalizer in updates:
                for name, value in self.optimize(batches, normalizer).items():
                    totals[name] = totals.get(name, 0.0) + value
                steps += 1
        return {name: total / steps for name, total in totals.items()}

    def passes(self, groups: list[Group]) -> list[list[Group]]:
        """Groups that share a forward pass; one that is too long is split, and its parts compute
        their prompt each."""
        # Without prefix sharing every completion is a row.
        budget = self.tokens_per_forward if self.policy.prefix_sharing else 0
        parts = [part for group in groups for part in group.parts(budget)]
        rows = [row_length(part.prompt.prefix, part.completions) for part in parts]
        return [[parts[i] for i in pack] for pack in pack_rows(rows, self.tokens_per_forward)]

    def batch(self, groups: list[Group]) -> Batch:
        """Old and reference log-probabilities, only where the loss will read them."""
        on_policy = self.num_epochs * self.num_minibatches == 1
        with torch.no_grad():
            old = None if on_policy else self.logprobs(groups).logprobs
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
            temperature=self.sampler.sampling.temperature,
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
                counted = self.loss.counted(scored.mask, inputs.truncated)
                entropy = (scored.entropy * counted).sum() / normalizer.tokens.clamp(min=1)
                for name, value in {**output.metrics, "policy/entropy": entropy}.items():
                    totals[name] = totals.get(name, 0.0) + value.item()

        norm = self.optimizer_step_on(losses(), self.optimization.max_grad_norm)
        return sum_metrics(all_gather(totals)) | {"policy/grad_norm": norm}

    def rollout_memory(self) -> dict[str, object]:
        """Options on which the memory of a rollout depends, with their values."""
        return {**self.sampler.engine.memory_options(), **self.lengths()}

    def update_memory(self) -> dict[str, object]:
        """Options on which the memory of an update depends, with their values."""
        tokens = {"stage.grpo.module.tokens_per_forward": self.tokens_per_forward}
        return tokens | self.lengths()

    def lengths(self) -> dict[str, object]:
        """Options on which the length of a row depends, with their values."""
        return {
            "stage.grpo.module.sampler.sampling.max_tokens": self.sampler.sampling.max_tokens,
            **pixel_option(self.policy),
        }

    def times(self) -> dict[str, float]:
        """``time/<part>`` of this step, and its speed."""
        return {
            **{f"time/{part}": seconds for part, seconds in self.seconds.items()},
            # The other processes draw about as many.
            "tokens/per_second": self.tokens * world_size() / self.seconds["step"],
        }

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """The block's wall time counts in ``time/<part>``."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds
