"""What a rollout engine is given and gives back."""

import hashlib
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision import VisionFeatures
from groundrl.rollout.randomness import uniforms


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a token is drawn. ``temperature=0`` takes the likeliest token."""

    max_tokens: int = 128
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """0 keeps the whole vocabulary."""
    min_p: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One completion, before it becomes text."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """At the sampling temperature, before top-p, top-k and min-p."""
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Randomness of a rollout: a function of (seed, step, prompt, index), never of history."""

    seed: int
    step: int
    sample_ids: tuple[str, ...]
    group_size: int

    def uniforms(self, count: int) -> Float[Tensor, "P G count"]:
        """Numbers in [0, 1): one for each of ``count`` tokens of each completion."""
        drawn = [
            [uniforms(self.seed, self.step, name, index, count) for index in range(self.group_size)]
            for name in self.sample_ids
        ]
        return torch.from_numpy(np.array(drawn))

    def group_seed(self, prompt: int) -> int:
        """A seed of 63 bits for a group, for engines that draw their own numbers."""
        name = f"{self.seed}/{self.step}/{self.sample_ids[prompt]}".encode()
        return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little") >> 1


@runtime_checkable
class Engine(Protocol):
    """Draws G completions for each of P prompts."""

    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: list[VisionFeatures],
        draws: Draws,
        sampling: Sampling,
    ) -> list[list[Drawn]]: ...
