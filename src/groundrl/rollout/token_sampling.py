"""Samples the next token from logits, with given uniform random numbers."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from groundrl.rollout.base import Sampling


def sample_tokens(
    logits: Float[Tensor, "B V"], uniform: Float[Tensor, "B"], sampling: Sampling
) -> tuple[Int[Tensor, "B"], Float[Tensor, "B"]]:
    """A token for each row, and its log-probability at the sampling temperature, before top-k,
    top-p and min-p."""
    if sampling.temperature == 0:
        token = logits.argmax(-1)
        logprobs = torch.log_softmax(logits, dim=-1)
    else:
        logprobs = torch.log_softmax(logits / sampling.temperature, dim=-1)
        allowed = filter_logprobs(logprobs, sampling)
        token = sample_inverse_cdf(allowed, uniform.to(logits.device))
    return token, logprobs.gather(-1, token[:, None])[:, 0]


def filter_logprobs(logprobs: Float[Tensor, "B V"], sampling: Sampling) -> Float[Tensor, "B V"]:
    """Set tokens to -inf that are outside top-k or the top-p nucleus, or less probable than
    ``min_p`` times the most likely token."""
    if sampling.top_k:
        smallest = logprobs.topk(min(sampling.top_k, logprobs.shape[-1]), dim=-1).values[:, -1:]
        logprobs = logprobs.masked_fill(logprobs < smallest, -torch.inf)
    if sampling.min_p:
        floor = logprobs.amax(-1, keepdim=True) + torch.tensor(sampling.min_p).log()
        logprobs = logprobs.masked_fill(logprobs < floor, -torch.inf)
    if sampling.top_p < 1:
        ordered, index = logprobs.softmax(-1).sort(dim=-1, descending=True)
        # A token is kept while the more likely ones together have not reached top_p.
        drop = ordered.cumsum(-1) - ordered >= sampling.top_p
        logprobs = logprobs.masked_fill(drop.scatter(-1, index, drop), -torch.inf)
    return logprobs


def sample_inverse_cdf(
    logprobs: Float[Tensor, "B V"], uniform: Float[Tensor, "B"]
) -> Int[Tensor, "B"]:
    """The first token whose cumulative probability exceeds ``uniform`` (inverse transform)."""
    cumulative = logprobs.double().exp().cumsum(-1)
    threshold = uniform[:, None] * cumulative[:, -1:]
    # Probabilities that are not finite have no such token; ``PendingRollout`` refuses them.
    return torch.searchsorted(cumulative, threshold, right=True)[:, 0].clamp(
        max=logprobs.shape[-1] - 1
    )
