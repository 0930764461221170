"""A rollout engine: completions that need no model."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import torch

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.rollout.base import LoadFeatures, RolloutEngine, SampledTokens, Sampling
from groundrl.rollout.randomness import RolloutSeeds


@dataclass
class FixedEngine(RolloutEngine):
    """Returns token sequences of fixed lengths, a function of the seeds."""

    length: int = 3
    fails: bool = False

    def memory_options(self) -> Mapping[str, object]:
        """What to lower when memory is full."""
        return {"rollout.length": self.length}

    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: LoadFeatures,
        seeds: RolloutSeeds,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """Each prompt's number with its completions, in any order."""
        if self.fails:
            raise torch.OutOfMemoryError("CUDA out of memory")
        for index in range(len(prompts)):
            yield (
                index,
                [
                    SampledTokens(
                        tokens=(*range(first, first + self.length), policy.eos_token),
                        logprobs=(-6.0,) * (self.length + 1),
                        truncated=False,
                    )
                    for first in range(40, 40 + 100 * seeds.group_size, 100)
                ],
            )
