"""Samples -> groups of G completions each."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision import VisionFeatures
from groundrl.records import Completion, RolloutGroup, Sample
from groundrl.rollout.base import Engine, Sampling
from groundrl.rollout.randomness import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """P groups, and what was computed on the way that the update can use again."""

    groups: tuple[RolloutGroup, ...]
    prompts: list[Prompt]
    features: list[VisionFeatures]


class Sampler:
    """Draws ``group_size`` completions per sample with an engine."""

    def __init__(self, engine: Engine, sampling: Sampling, group_size: int, seed: int = 0) -> None:
        self.engine = engine
        self.sampling = sampling
        self.group_size = group_size
        self.seed = seed

    def __call__(self, policy: Policy, samples: Sequence[Sample], step: int) -> Rollout:
        """The completions are a function of (seed, step, sample, index) and the weights."""
        prompts = [policy.encode(sample) for sample in samples]
        with torch.no_grad():
            features = policy.features(prompts)
        draws = Draws(
            seed=self.seed,
            step=step,
            sample_ids=tuple(sample.id for sample in samples),
            group_size=self.group_size,
        )
        drawn = self.engine.generate(policy, prompts, features, draws, self.sampling)
        groups = tuple(
            RolloutGroup(
                sample=sample,
                view=prompt.view,
                completions=tuple(
                    Completion(
                        text=policy.decode(one.tokens),
                        tokens=one.tokens,
                        logprobs=one.logprobs,
                        truncated=one.truncated,
                    )
                    for one in group
                ),
            )
            for sample, prompt, group in zip(samples, prompts, drawn, strict=True)
        )
        return Rollout(groups=groups, prompts=prompts, features=features)
