"""GRPO: sample groups, score them, and raise what was better than its group (arXiv 2402.03300)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from groundrl.advantages import Advantage, TermAdvantages
from groundrl.config_node import ConfigNode
from groundrl.data.curriculum import AS_THEY_COME, Curriculum, KindOrder, PassRates
from groundrl.losses import PolicyLoss
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example
from groundrl.report.answers.rollouts import rollout_sheet
from groundrl.rewards.base import RewardSum
from groundrl.rollout.base import RolloutEngine
from groundrl.rollout.lengths import pixel_option
from groundrl.rollout.sampler import NotFiniteError, PendingRollout, Sampler
from groundrl.running.full_memory import explain_full_memory
from groundrl.running.parallel import all_gather, mean_metrics, rank, world_size
from groundrl.stages.credit import token_advantages
from groundrl.stages.fitting.batches import learning_groups
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.fitting.prefetch import RolloutPrefetch
from groundrl.stages.fitting.step_metrics import (
    ROLLOUT_METRICS,
    TIME_METRICS,
    StepTimes,
    advantage_metrics,
    check_answered,
    pass_rate_metrics,
    rescued_share,
    rollout_metrics,
)
from groundrl.stages.policy_gradient import PolicyGradientStage
from groundrl.stages.scoring import GroupScorer, ScoredRollout


class GRPOModule(PolicyGradientStage):
    """One training step: rollout -> reward -> advantage -> loss, each computed once."""

    resource_options: ClassVar[frozenset[str]] = frozenset({"tokens_per_forward"})
    metrics: ClassVar[Mapping[str, str]] = {
        **PolicyGradientStage.metrics,
        **ROLLOUT_METRICS,
        **TIME_METRICS,
    }
    shown: ClassVar[Mapping[str, str]] = {
        "policy/kl": "kl {:.4f}",
        "tokens/per_second": "{:,.0f} tok/s",
    }

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
        curriculum: Curriculum = AS_THEY_COME,
    ) -> None:
        """``num_epochs`` passes over each rollout, each in ``num_minibatches`` optimizer steps;
        ``tokens_per_forward``, padding included, bounds memory and changes no result; it is
        halved where memory is full; ``resample`` rounds sample new completions for groups whose
        rewards are all equal, and groups that are still equal after them are left out of the
        update; ``curriculum`` chooses kinds of question by how often their completions are
        right."""
        group_sampler = sampler(engine)
        super().__init__(
            policy=policy,
            loss=loss,
            optimization=optimization,
            temperature=group_sampler.sampling.temperature,
            num_epochs=num_epochs,
            num_minibatches=num_minibatches,
            tokens_per_forward=tokens_per_forward,
        )
        self.sampler = group_sampler
        self.prefetch = RolloutPrefetch(self.sampler)
        self.prefetches = engine.prefetch > 0
        self.reward = reward
        self.advantage = advantage
        self.resample = resample
        self.pass_rates = PassRates(curriculum.memory, curriculum.delay)
        if curriculum.floor < 1:
            self.kind_order = KindOrder(curriculum, self.pass_rates)
        self.rollouts_done = 0
        self.times = StepTimes(policy.tower)
        self.last: tuple[ScoredRollout, Float[Tensor, "P G"]] | None = None
        """Rollout and advantages of the last step."""

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """Advantages compare the completions of one group."""
        for path, size in node.named("group_size", node.path):
            if isinstance(size, int) and size < 2:
                yield (
                    f"{path} is {size}, but advantages compare the completions of one group: "
                    f"type {path}=8, or any number from 2 on"
                )

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Randomness depends on the step, so the step is part of the state."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["rollouts_done"] = self.rollouts_done
        checkpoint["prefetched"] = self.prefetch.state()
        checkpoint["pass_rates"] = self.pass_rates.state()
        if self.kind_order is not None:
            checkpoint["kind_order"] = self.kind_order.state()

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Continue with the next rollout."""
        super().on_load_checkpoint(checkpoint)
        self.rollouts_done = checkpoint["rollouts_done"]
        self.prefetch.restore(checkpoint["prefetched"])
        self.pass_rates.restore(checkpoint["pass_rates"])
        if self.kind_order is not None:
            self.kind_order.restore(checkpoint["kind_order"])

    def close(self) -> None:
        """Stop sampling the rollout of the next step."""
        self.prefetch.close()

    def sample_ids(self, batch: list[Example] | tuple[list[Example], list[Example]]) -> list[str]:
        """See ``Stage``; of this step."""
        return super().sample_ids(batch[0] if isinstance(batch, tuple) else batch)

    def training_step(
        self, batch: list[Example] | tuple[list[Example], list[Example]], batch_index: int
    ) -> None:
        """One rollout and the optimizer steps on it."""
        examples, next_examples = batch if isinstance(batch, tuple) else (batch, None)
        self.times = StepTimes(self.policy.tower)
        lr = self.optimization.set_lr(self.trainer.optimizers, self.rollouts_done)
        with self.whole_weights():
            first = self.score_rollout(  # prompts -> rollout [P][G] -> rewards [P G]
                partial(self.prefetch.pop_or_start, self.policy, examples)
            )
            scored = self.resample_equal_groups(first)
            if next_examples is not None and batch_index + 1 < self.trainer.num_training_batches:
                self.start_next_rollout(next_examples)
        compared = self.compare(scored)  # rewards -> advantages [P G]
        learned = self.learn(scored, compared)  # advantages -> loss -> weights
        self.pass_rates.add(all_gather(first.tallies()))
        self.last = scored, compared.total
        metrics = (
            self.times.metrics()
            | rollout_metrics(first)
            | advantage_metrics(compared, tuple(self.reward.terms))
            | pass_rate_metrics(self.pass_rates, first)
            | self.sampler.engine.take_counts()
        )
        if self.resample:
            metrics["group/rescued_frac"] = rescued_share(first, scored)
        if self.kind_order is not None:
            share = self.kind_order.passed_over(len(examples) * world_size())
            metrics["curriculum/passed_over_frac"] = share
        self.rollouts_done += 1
        self.log_step(mean_metrics(all_gather(metrics)) | learned | {"lr": lr}, self.rollouts_done)

    def score_rollout(self, start: Callable[..., PendingRollout]) -> ScoredRollout:
        """The rollout that ``start(step=...)`` starts; its groups are scored as they complete."""
        with GroupScorer(self.reward) as scorer:
            with self.times.measure("rollout"), self.explain_full_rollout():
                try:
                    rollout = start(step=self.rollouts_done).collect(scorer.submit)
                except NotFiniteError as error:
                    raise self.not_finite(str(error)) from error
            with self.times.measure("reward"):
                scored = ScoredRollout(rollout=rollout, attempts=scorer.results())
        self.times.tokens += scored.tokens
        check_answered(scored, self.reward.max_unanswered)
        return scored

    def resample_equal_groups(self, first: ScoredRollout) -> ScoredRollout:
        """New completions for groups whose rewards are all equal, in up to ``resample`` rounds
        (after the dynamic sampling of DAPO, arXiv 2503.14476, section 3.2)."""
        scored = first
        for round in range(1, self.resample + 1):
            equal = [index for index, same in enumerate(scored.zero_variance) if same]
            if not equal:
                break
            start = partial(self.sampler.resample, self.policy, first.rollout, equal, round=round)
            scored = scored.replace_groups(equal, self.score_rollout(start))
        return scored

    def compare(self, scored: ScoredRollout) -> TermAdvantages:
        """Advantages of this process's completions. Some kinds compare all groups of the step, so
        the processes exchange their rewards."""
        shares = all_gather(scored.terms)  # [K P G] of each process
        terms = torch.cat(shares, dim=1)
        weights = terms.new_tensor([term.weight for term in self.reward.terms.values()])
        first = sum(share.shape[1] for share in shares[: rank()])
        return self.advantage.of_terms(terms, weights).of_prompts(
            slice(first, first + shares[rank()].shape[1])
        )

    def start_next_rollout(self, examples: list[Example]) -> None:
        """Start sampling for the next step, with the weights from before this step's update."""
        with self.times.measure("rollout"):
            self.prefetch.start(self.policy, examples, self.rollouts_done + 1)

    def learn(self, scored: ScoredRollout, compared: TermAdvantages) -> dict[str, float]:
        """The optimizer steps on a rollout; returns the mean of the loss's metrics."""
        advantages = compared.total
        if self.advantage.credit == "span":
            weights = {name: term.weight for name, term in self.reward.terms.items()}
            advantages = token_advantages(
                scored.attempts, compared, weights, self.advantage, self.policy.decode
            )
        with self.times.measure("update"), self.explain_full_memory(self.completion_length()):
            groups = learning_groups(scored.rollout, advantages)
            return self.update(scored.rollout, groups)

    def progress_figures(self) -> list[str]:
        """``reward 0.61 (acc 0.50, iou 0.72)``, then the figures of ``shown``."""
        terms = ", ".join(
            f"{name} {self.logged[f'reward/{name}']:.2f}"
            for name in self.reward.terms
            if f"reward/{name}" in self.logged
        )
        reward = f"reward {self.logged['reward/total']:.2f}" + (f" ({terms})" if terms else "")
        return [reward, *super().progress_figures()]

    def rollout_image(self) -> Image.Image | None:
        """Image, true and predicted boxes, reward parts and advantages of some completions."""
        if self.last is None:
            return None
        scored, advantages = self.last
        return rollout_sheet(
            scored.rollout.groups,
            [[one.score for one in group] for group in scored.attempts],
            [[one.attempt.parsed.groundings for one in group] for group in scored.attempts],
            advantages.tolist(),
        )

    def explain_full_rollout(self) -> AbstractContextManager[None]:
        """Around a rollout: where the completions of one prompt alone do not fit into memory, a
        UserError names the options of which that depends."""
        sampler = self.sampler
        options = {
            **sampler.engine.memory_options(),
            self.option("sampler.group_size"): sampler.group_size,
            **self.completion_length(),
            **pixel_option(self.policy),
        }
        return explain_full_memory(options, ("model=<a smaller one>",))

    def completion_length(self) -> dict[str, object]:
        """The option that bounds the tokens of a completion, with its value."""
        return {self.option("sampler.sampling.max_tokens"): self.sampler.sampling.max_tokens}
