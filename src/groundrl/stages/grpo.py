"""GRPO: sample groups, score them, and raise what was better than its group (arXiv 2402.03300)."""

import operator
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Bool, Float
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from groundrl.advantages import Advantage, zero_variance
from groundrl.losses import LossInputs, Normalizer, PolicyLoss
from groundrl.parallel import gathered, means, rank, sums, world_size
from groundrl.policy.layout import Branch, packs, row_length, split
from groundrl.policy.policy import Policy, TokenLogprobs
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision import VisionFeatures
from groundrl.records import Sample
from groundrl.rewards.base import RewardSum
from groundrl.rollout.base import Engine
from groundrl.rollout.sampler import Rollout, Sampler
from groundrl.stages.base import Stage
from groundrl.stages.optimization import Optimization
from groundrl.stages.rollout_metrics import ScoredRollout, rollout_metrics
from groundrl.stages.scoring import Scoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group on its way into the loss."""

    prompt: Prompt
    features: VisionFeatures
    completions: list[Branch]
    sampler_logprobs: list[tuple[float, ...]]
    advantages: Float[Tensor, "G"]
    truncated: list[bool]
    equal: bool
    """All rewards are equal, so nothing is learned from it: it would add KL gradients only."""

    def parts(self, budget: int) -> list["Group"]:
        """The same completions in groups whose rows hold at most ``budget`` tokens, or one
        completion."""
        lengths = [len(completion.tokens) for completion in self.completions]
        return [
            replace(
                self,
                completions=self.completions[part],
                sampler_logprobs=self.sampler_logprobs[part],
                advantages=self.advantages[part],
                truncated=self.truncated[part],
            )
            for part in split(len(self.prompt.prefix.tokens), lengths, budget)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Groups that share one forward pass, with what is computed before the first update."""

    groups: list[Group]
    old_logprobs: Float[Tensor, "B T"] | None
    """None on policy: the ratio is then exactly 1."""
    ref_logprobs: Float[Tensor, "B T"] | None
    """None without a KL term."""


class GRPOModule(Stage):
    """One training step: rollout -> reward -> advantage -> loss, each computed once."""

    def __init__(
        self,
        policy: Policy,
        engine: Engine,
        sampler: Callable[[Engine], Sampler],
        reward: RewardSum,
        advantage: Advantage,
        loss: PolicyLoss,
        optimization: Optimization,
        num_epochs: int = 1,
        num_minibatches: int = 1,
        tokens_per_forward: int = 8192,
    ) -> None:
        """``num_epochs`` passes over each rollout, each in ``num_minibatches`` optimizer steps;
        ``tokens_per_forward``, padding included, bounds memory and changes no result."""
        super().__init__(policy)
        self.automatic_optimization = False
        self.sampler = sampler(engine)
        self.reward = reward
        self.advantage = advantage
        self.loss = loss
        self.optimization = optimization
        self.num_epochs = num_epochs
        self.num_minibatches = num_minibatches
        self.tokens_per_forward = tokens_per_forward
        self.rollouts_done = 0
        if loss.kl_coef:
            policy.fix_reference()
        self.seconds: dict[str, float] = {}
        self.last: ScoredRollout | None = None
        """The rollout of the last step, for pictures."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW on what the adapter leaves trainable."""
        return self.optimization.optimizer(self.policy)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Randomness depends on the step, so the step is part of the state."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["rollouts_done"] = self.rollouts_done

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Go on with the next rollout."""
        self.rollouts_done = checkpoint["rollouts_done"]

    def training_step(self, samples: list[Sample], batch_index: int) -> None:
        """One rollout and the optimizer steps on it."""
        self.seconds = {}
        start = time.perf_counter()
        optimizer = cast(LightningOptimizer, self.optimizers())
        lr = self.optimization.set_lr(optimizer.optimizer, self.rollouts_done)
        with Scoring(self.reward) as scoring:
            with self.timed("rollout"):
                step = self.rollouts_done
                rollout = self.sampler(self.policy, samples, step, take=scoring.take)
            with self.timed("reward"):
                scores = scoring.scores()
        rewards = torch.tensor([[score.total for score in group] for group in scores])
        advantages = self.advantages(rewards)
        with self.timed("update"):
            learned = self.update(groups(rollout, advantages, zero_variance(rewards).tolist()))
        self.rollouts_done += 1
        self.seconds["step"] = time.perf_counter() - start
        self.last = ScoredRollout(rollout=rollout, scores=scores, advantages=advantages)
        metrics = rollout_metrics(self.last, self.reward) | self.times()
        self.log_step(means(gathered(metrics)) | learned | {"lr": lr}, self.rollouts_done)

    def advantages(self, rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
        """Some kinds compare all groups of the step, those of the other processes included."""
        shares = gathered(rewards)
        return self.advantage(torch.cat(shares)).split([len(share) for share in shares])[rank()]

    def update(self, groups: list[Group]) -> dict[str, float]:
        """All optimizer steps on one rollout; returns the mean of the loss's metrics.

        Every process makes the same steps, also where none of its own groups learns.
        """
        minibatches = []
        for part in _parts(groups, self.num_minibatches):
            learning = [group for group in part if not group.equal]
            if any(gathered(bool(learning))):
                # The denominators belong to the whole optimizer step: neither splitting it nor
                # skipping groups that have no gradient changes anything.
                own = self.loss.normalizer(completion_mask(part), truncated(part))
                normalizer = reduce(operator.add, gathered(own))
                passes = self.passes(learning)
                minibatches.append(([self.batch(groups) for groups in passes], normalizer))
        totals: dict[str, float] = {}
        steps = 0
        for _ in range(self.num_epochs):
            for batches, normalizer in minibatches:
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
        return [[parts[i] for i in pack] for pack in packs(rows, self.tokens_per_forward)]

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
        return sums(gathered(totals)) | {"policy/grad_norm": norm}

    def times(self) -> dict[str, float]:
        """``time/<part>`` of this step, and its speed."""
        assert self.last is not None
        # The other processes draw about as many.
        tokens = sum(len(c.tokens) for g in self.last.rollout.groups for c in g.completions)
        return {
            **{f"time/{part}": seconds for part, seconds in self.seconds.items()},
            "tokens/per_second": tokens * world_size() / self.seconds["step"],
        }

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """The block's wall time becomes ``time/<part>``."""
        start = time.perf_counter()
        yield
        self.seconds[part] = time.perf_counter() - start


def groups(
    rollout: Rollout, advantages: Float[Tensor, "P G"], equal: Sequence[bool]
) -> list[Group]:
    """Groups with their completions as branches of their prompts."""
    features = rollout.features()
    return [
        Group(
            prompt=rollout.prompts[index],
            features=features[index],
            completions=[Branch(tokens=completion.tokens) for completion in group.completions],
            sampler_logprobs=[completion.logprobs for completion in group.completions],
            advantages=advantages[index],
            truncated=[completion.truncated for completion in group.completions],
            equal=equal[index],
        )
        for index, group in enumerate(rollout.groups)
    ]


def completion_mask(groups: list[Group]) -> Bool[Tensor, "B T"]:
    """True on the tokens of each completion, padded to the longest."""
    lengths = torch.tensor([len(c.tokens) for group in groups for c in group.completions])
    return torch.arange(int(lengths.max())) < lengths[:, None]


def truncated(groups: list[Group]) -> Bool[Tensor, "B"]:
    """Which completions were cut off."""
    return torch.tensor([flag for group in groups for flag in group.truncated])


def sampler_logprobs(groups: list[Group]) -> Float[Tensor, "B T"]:
    """What the rollout engine reported, padded to the longest completion."""
    rows = [torch.tensor(row) for group in groups for row in group.sampler_logprobs]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def loss_inputs(batch: Batch, scored: TokenLogprobs) -> LossInputs:
    """What the loss reads, on the device of the log-probabilities."""
    device = scored.logprobs.device
    return LossInputs(
        logprobs=scored.logprobs,
        old_logprobs=batch.old_logprobs,
        ref_logprobs=batch.ref_logprobs,
        sampler_logprobs=sampler_logprobs(batch.groups).to(device),
        advantages=torch.cat([group.advantages for group in batch.groups]).to(device),
        completion_mask=scored.mask,
        truncated=truncated(batch.groups).to(device),
    )


def _parts(groups: list[Group], count: int) -> list[list[Group]]:
    """``count`` parts of nearly equal size, empty ones left out."""
    bounds = [round(len(groups) * k / count) for k in range(count + 1)]
    return [groups[a:b] for a, b in pairwise(bounds) if b > a]
