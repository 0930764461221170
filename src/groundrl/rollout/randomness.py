"""Randomness as a function of (seed, step, prompt, completion index), never of history."""

import hashlib

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
    name = f"{seed}/{step}/{sample_id}/{index}".encode()
    key = int.from_bytes(hashlib.blake2b(name, digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key)).random(count)


def choose(logprobs: Float[Tensor, "B V"], uniform: Float[Tensor, "B"]) -> Int[Tensor, "B"]:
    """The token where the cumulative probability passes ``uniform`` (inverse transform)."""
    cumulative = logprobs.double().exp().cumsum(-1)
    threshold = uniform[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, threshold, right=True)[:, 0]
