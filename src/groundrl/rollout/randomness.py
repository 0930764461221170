"""Randomness as a function of (seed, step, sample, completion index), never of history."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def uniforms(
    seed: int, step: int, sample_id: str, index: int, count: int
) -> Float[np.ndarray, "count"]:
    """``count`` numbers in [0, 1) for one completion: one for each of its tokens.

    They do not depend on the order of prompts, the number of workers, or earlier samples.
    """
    key = _digest(seed, step, sample_id, index, size=16)
    return np.random.Generator(np.random.Philox(key=key)).random(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSeeds:
    """The randomness of one rollout: P samples, G completions each."""

    seed: int
    step: int
    sample_ids: tuple[str, ...]
    group_size: int
    round: int = 0
    """How often completions of these samples were sampled before in this step; the completion
    index continues from round to round."""

    def uniforms(self, count: int) -> Float[Tensor, "P G count"]:
        """Numbers in [0, 1): one for each of ``count`` tokens of each completion."""
        first = self.round * self.group_size
        table = [
            [
                uniforms(self.seed, self.step, name, first + index, count)
                for index in range(self.group_size)
            ]
            for name in self.sample_ids
        ]
        return torch.from_numpy(np.array(table))

    def group_seed(self, prompt: int) -> int:
        """A seed of 63 bits for one group, for engines with their own random numbers."""
        return _digest(self.seed, self.step, self.sample_ids[prompt], self.round, size=8) >> 1


def _digest(*parts: object, size: int) -> int:
    """A hash of ``parts`` with ``size`` bytes."""
    name = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=size).digest(), "little")
