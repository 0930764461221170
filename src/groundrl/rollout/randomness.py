"""Randomness as a function of (seed, step, prompt, completion index), never of history."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def uniforms(
    seed: int, step: int, sample_id: str, index: int, count: int
) -> Float[np.ndarray, "count"]:
    """``count`` numbers in [0, 1) that belong to one completion: one for each of its tokens.

    The order of prompts, the number of workers and whatever was drawn before change nothing.
    """
    key = _digest(seed, step, sample_id, index, size=16)
    return np.random.Generator(np.random.Philox(key=key)).random(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Randomness of a rollout."""

    seed: int
    step: int
    sample_ids: tuple[str, ...]
    group_size: int
    round: int = 0
    """How often the prompts were drawn before in this step; their completions are counted on."""

    def uniforms(self, count: int) -> Float[Tensor, "P G count"]:
        """Numbers in [0, 1): one for each of ``count`` tokens of each completion."""
        first = self.round * self.group_size
        drawn = [
            [
                uniforms(self.seed, self.step, name, first + index, count)
                for index in range(self.group_size)
            ]
            for name in self.sample_ids
        ]
        return torch.from_numpy(np.array(drawn))

    def group_seed(self, prompt: int) -> int:
        """A seed of 63 bits for a group, for engines that draw their own numbers."""
        return _digest(self.seed, self.step, self.sample_ids[prompt], self.round, size=8) >> 1


def _digest(*parts: object, size: int) -> int:
    """A number of ``size`` bytes."""
    name = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=size).digest(), "little")


def choose(logprobs: Float[Tensor, "B V"], uniform: Float[Tensor, "B"]) -> Int[Tensor, "B"]:
    """The token where the cumulative probability passes ``uniform`` (inverse transform)."""
    cumulative = logprobs.double().exp().cumsum(-1)
    threshold = uniform[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, threshold, right=True)[:, 0]
