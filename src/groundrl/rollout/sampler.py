"""Samples -> groups of G completions each."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import torch

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example, Prompt
from groundrl.policy.vision import VisionFeatures
from groundrl.records import Completion, RolloutGroup, Sample
from groundrl.rollout.base import RolloutEngine, SampledTokens, Sampling
from groundrl.rollout.lengths import check_length
from groundrl.rollout.randomness import Draws


@dataclass(slots=True, kw_only=True)
class FeatureLoader:
    """What the vision tower says about the images of prompts: it looks at those asked for, once."""

    policy: Policy
    prompts: list[Prompt]
    seen: dict[int, VisionFeatures] = field(default_factory=dict)

    @torch.no_grad()
    def __call__(self, chosen: Sequence[int] | None = None) -> list[VisionFeatures]:
        """Of the ``chosen`` prompts, or of all."""
        chosen = range(len(self.prompts)) if chosen is None else chosen
        new = [i for i in chosen if i not in self.seen]
        if new:
            found = self.policy.features([self.prompts[i] for i in new])
            self.seen |= zip(new, found, strict=True)
        return [self.seen[i] for i in chosen]

    def of(self, chosen: Sequence[int]) -> "FeatureLoader":
        """Of the ``chosen`` prompts, with what is known of them."""
        known = [self.seen.get(i) for i in chosen]
        return FeatureLoader(
            policy=self.policy,
            prompts=[self.prompts[i] for i in chosen],
            seen={place: one for place, one in enumerate(known) if one is not None},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """P groups, and what was computed on the way that the update can use again."""

    groups: tuple[RolloutGroup, ...]
    features: FeatureLoader

    @property
    def prompts(self) -> list[Prompt]:
        """P of them."""
        return self.features.prompts


OnGroup = Callable[[int, RolloutGroup], None]
"""Is given each group with its number, in the order in which they are complete."""


@dataclass(slots=True, kw_only=True)
class PendingRollout:
    """A rollout that has begun."""

    policy: Policy
    samples: list[Sample]
    features: FeatureLoader
    coming: Generator[tuple[int, list[SampledTokens]]]
    """Each group once."""

    def rollout(self, take: OnGroup | None = None) -> Rollout:
        """All groups, when they are complete."""
        groups: dict[int, RolloutGroup] = {}
        with closing(self.coming):
            for index, drawn in self.coming:
                groups[index] = RolloutGroup(
                    sample=self.samples[index],
                    sizes=self.features.prompts[index].sizes,
                    completions=tuple(to_completion(self.policy, one) for one in drawn),
                )
                if take is not None:
                    take(index, groups[index])
        ordered = tuple(groups[index] for index in range(len(self.samples)))
        return Rollout(groups=ordered, features=self.features)

    def wait(self) -> list[list[SampledTokens]]:
        """All groups in the order of the prompts; they still come."""
        with closing(self.coming):
            groups = dict(self.coming)
        ordered = [groups[index] for index in range(len(self.samples))]
        self.coming = in_order(ordered)
        return ordered


class Sampler:
    """Draws ``group_size`` completions per sample with an engine."""

    def __init__(
        self, engine: RolloutEngine, sampling: Sampling, group_size: int, seed: int = 0
    ) -> None:
        self.engine = engine
        self.sampling = sampling
        self.group_size = group_size
        self.seed = seed

    def __call__(
        self, policy: Policy, examples: Sequence[Example], step: int, take: OnGroup | None = None
    ) -> Rollout:
        """The completions are a function of (seed, step, sample, index) and the weights."""
        return self.begin(policy, examples, step).rollout(take)

    def begin(
        self,
        policy: Policy,
        examples: Sequence[Example],
        step: int,
        known: list[list[SampledTokens]] | None = None,
    ) -> PendingRollout:
        """Engines that draw on their own do so from now on, under the weights of this moment;
        nothing is drawn where the groups are ``known``."""
        samples = [sample for sample, _ in examples]
        prompts = [prompt for _, prompt in examples]
        limits = {"rollout.max_model_len": self.engine.max_model_len}
        for sample, prompt in examples:
            longest = self.sampling.max_tokens
            check_length(policy, sample, prompt, longest, "sampling.max_tokens", limits)
        features = FeatureLoader(policy=policy, prompts=prompts)
        if known is None:
            return self.draw(policy, samples, features, step)
        return PendingRollout(
            policy=policy, samples=samples, features=features, coming=in_order(known)
        )

    def seed_of(self, sample_id: str, step: int) -> int:
        """What the completions of a sample are drawn from in a step."""
        draws = Draws(
            seed=self.seed, step=step, sample_ids=(sample_id,), group_size=self.group_size
        )
        return draws.group_seed(0)

    def again(
        self,
        policy: Policy,
        rollout: Rollout,
        chosen: list[int],
        step: int,
        round: int,
    ) -> PendingRollout:
        """Other completions for the ``chosen`` prompts of the step's first rollout."""
        samples = [rollout.groups[i].sample for i in chosen]
        return self.draw(policy, samples, rollout.features.of(chosen), step, round)

    def draw(
        self,
        policy: Policy,
        samples: list[Sample],
        features: FeatureLoader,
        step: int,
        round: int = 0,
    ) -> PendingRollout:
        """The completions of samples that are encoded; other ones in every ``round``."""
        draws = Draws(
            seed=self.seed,
            step=step,
            sample_ids=tuple(sample.id for sample in samples),
            group_size=self.group_size,
            round=round,
        )
        coming = self.engine.generate(policy, features.prompts, features, draws, self.sampling)
        return PendingRollout(policy=policy, samples=samples, features=features, coming=coming)


def in_order(groups: list[list[SampledTokens]]) -> Generator[tuple[int, list[SampledTokens]]]:
    """Groups that are complete, as an engine gives them."""
    yield from enumerate(groups)


def to_completion(policy: Policy, drawn: SampledTokens) -> Completion:
    """With its text."""
    return Completion(
        text=policy.decode(drawn.tokens),
        tokens=drawn.tokens,
        logprobs=drawn.logprobs,
        truncated=drawn.truncated,
    )
