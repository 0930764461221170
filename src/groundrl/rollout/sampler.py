"""Samples -> groups of G completions each."""

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import torch

from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example, Prompt
from groundrl.policy.vision_store import VisionFeatures
from groundrl.records import Completion, RolloutGroup, Sample
from groundrl.rollout.base import RolloutEngine, SampledTokens, Sampling
from groundrl.rollout.lengths import check_length
from groundrl.rollout.randomness import RolloutSeeds


class NotFiniteError(UserError):
    """The model's probabilities are not finite."""


@dataclass(slots=True, kw_only=True)
class FeatureLoader:
    """Image features of prompts, each computed at its first use."""

    policy: Policy
    prompts: list[Prompt]
    loaded: dict[int, VisionFeatures] = field(default_factory=dict)
    """By index of the prompt."""

    @torch.no_grad()
    def __call__(self, indices: Sequence[int] | None = None) -> list[VisionFeatures]:
        """Features of the prompts at ``indices``, or of all."""
        indices = range(len(self.prompts)) if indices is None else indices
        new = [i for i in indices if i not in self.loaded]
        if new:
            features = self.policy.features([self.prompts[i] for i in new])
            self.loaded |= zip(new, features, strict=True)
        return [self.loaded[i] for i in indices]

    def subset(self, indices: Sequence[int]) -> "FeatureLoader":
        """A loader for the prompts at ``indices``, with the features that are loaded already."""
        return FeatureLoader(
            policy=self.policy,
            prompts=[self.prompts[i] for i in indices],
            loaded={new: self.loaded[i] for new, i in enumerate(indices) if i in self.loaded},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """P groups of completions, and the image features, which the update uses again."""

    groups: tuple[RolloutGroup, ...]
    features: FeatureLoader

    @property
    def prompts(self) -> list[Prompt]:
        """The P encoded prompts."""
        return self.features.prompts

    def fixed_features(self, indices: Sequence[int]) -> list[VisionFeatures] | list[None]:
        """As ``Policy.fixed_features``, of the prompts at ``indices``."""
        if self.features.policy.tower.learns:
            return [None] * len(indices)
        return self.features(indices)


OnGroup = Callable[[int, RolloutGroup], None]
"""Called with the index of each prompt and its group, in the order in which groups complete."""


@dataclass(slots=True, kw_only=True)
class PendingRollout:
    """A rollout that has been started; its groups are complete at different times."""

    policy: Policy
    samples: list[Sample]
    features: FeatureLoader
    groups: Generator[tuple[int, list[SampledTokens]]]
    """Yields the index of each sample and its group once; closing it cancels the rest."""

    def collect(self, on_group: OnGroup | None = None) -> Rollout:
        """Wait for all groups and decode them; ``on_group`` gets each as soon as it is complete.
        Raises NotFiniteError."""
        groups: dict[int, RolloutGroup] = {}
        with closing(self.groups):
            for index, sampled in self.groups:
                check_finite(sampled, self.samples[index])
                groups[index] = RolloutGroup(
                    sample=self.samples[index],
                    sizes=self.features.prompts[index].sizes,
                    completions=tuple(decode_completion(self.policy, one) for one in sampled),
                )
                if on_group is not None:
                    on_group(index, groups[index])
        ordered = tuple(groups[index] for index in range(len(self.samples)))
        return Rollout(groups=ordered, features=self.features)

    def wait(self) -> list[list[SampledTokens]]:
        """Wait for all groups and return their tokens in the order of the samples; ``collect`` can
        still be called."""
        with closing(self.groups):
            groups = dict(self.groups)
        ordered = [groups[index] for index in range(len(self.samples))]
        self.groups = enumerate_groups(ordered)
        return ordered


class Sampler:
    """Samples ``group_size`` completions per sample with an engine."""

    def __init__(
        self, engine: RolloutEngine, sampling: Sampling, group_size: int, seed: int = 0
    ) -> None:
        self.engine = engine
        self.sampling = sampling
        self.group_size = group_size
        self.seed = seed

    def __call__(
        self,
        policy: Policy,
        examples: Sequence[Example],
        step: int,
        on_group: OnGroup | None = None,
    ) -> Rollout:
        """The completions are a function of (seed, step, sample, index) and the weights."""
        return self.start(policy, examples, step).collect(on_group)

    def start(
        self,
        policy: Policy,
        examples: Sequence[Example],
        step: int,
        known: list[list[SampledTokens]] | None = None,
    ) -> PendingRollout:
        """Start a rollout with the current weights; engines with ``prefetch`` sample from now on.
        ``known``: groups that were sampled before; then nothing is sampled. Raises UserError for
        prompts that are too long."""
        samples = [sample for sample, _ in examples]
        prompts = [prompt for _, prompt in examples]
        limits = {"rollout.max_model_len": self.engine.max_model_len}
        for sample, prompt in examples:
            longest = self.sampling.max_tokens
            check_length(policy, sample, prompt, longest, "sampling.max_tokens", limits)
        features = FeatureLoader(policy=policy, prompts=prompts)
        if known is None:
            return self._start(policy, samples, features, step)
        return PendingRollout(
            policy=policy, samples=samples, features=features, groups=enumerate_groups(known)
        )

    def seed_of(self, sample_id: str, step: int) -> int:
        """The seed of the completions of a sample in a step."""
        seeds = RolloutSeeds(
            seed=self.seed, step=step, sample_ids=(sample_id,), group_size=self.group_size
        )
        return seeds.group_seed(0)

    def resample(
        self,
        policy: Policy,
        rollout: Rollout,
        indices: list[int],
        step: int,
        round: int,
    ) -> PendingRollout:
        """Start new completions for the prompts at ``indices`` of the step's first rollout; they
        differ in every ``round``, from 1 on."""
        samples = [rollout.groups[i].sample for i in indices]
        return self._start(policy, samples, rollout.features.subset(indices), step, round)

    def _start(
        self,
        policy: Policy,
        samples: list[Sample],
        features: FeatureLoader,
        step: int,
        round: int = 0,
    ) -> PendingRollout:
        seeds = RolloutSeeds(
            seed=self.seed,
            step=step,
            sample_ids=tuple(sample.id for sample in samples),
            group_size=self.group_size,
            round=round,
        )
        groups = self.engine.generate(policy, features.prompts, features, seeds, self.sampling)
        return PendingRollout(policy=policy, samples=samples, features=features, groups=groups)


def enumerate_groups(
    groups: list[list[SampledTokens]],
) -> Generator[tuple[int, list[SampledTokens]]]:
    """Groups that are complete, in the form in which an engine returns them."""
    yield from enumerate(groups)


def check_finite(group: Sequence[SampledTokens], sample: Sample) -> None:
    """Raise NotFiniteError for log-probabilities that are no numbers, as those of infinite logits
    are; -inf stands for what a server does not tell."""
    if math.isnan(sum(value for one in group for value in one.logprobs)):
        raise NotFiniteError(
            f"the model's probabilities for the sample {sample.id} are not finite (NaN or "
            "infinite): its weights are damaged, or too large for model.dtype"
        )


def decode_completion(policy: Policy, sampled: SampledTokens) -> Completion:
    """The completion with its text."""
    return Completion(
        text=policy.decode(sampled.tokens),
        tokens=sampled.tokens,
        logprobs=sampled.logprobs,
        truncated=sampled.truncated,
    )
