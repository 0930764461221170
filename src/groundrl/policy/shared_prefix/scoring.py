"""Log-probabilities of given tokens from hidden states, in chunks that fit into memory."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from groundrl.policy.shared_prefix.layout import Layout

MAX_LOGITS = 2**26
"""Logits computed at a time: 256 MiB in float32, 440 tokens with a vocabulary of 150,000."""

ComputeLogits = Callable[[Float[Tensor, "tokens width"]], Float[Tensor, "tokens V"]]
"""The output head: hidden states -> logits in float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprobs:
    """Log-probabilities of B given completions, padded to T tokens."""

    logprobs: Float[Tensor, "B T"]
    entropy: Float[Tensor, "B T"]
    """Entropy in nats of the distribution of each token; without gradient."""
    mask: Bool[Tensor, "B T"]
    """True on scored tokens."""


def score_tokens(
    hidden: Float[Tensor, "R L width"],
    layout: Layout,
    compute_logits: ComputeLogits,
    vocabulary: int,
    temperature: float,
) -> TokenLogprobs:
    """``log softmax(logits / temperature)`` of the scored tokens of ``layout``; 0 elsewhere."""
    scored = layout.scored.to(hidden.device)
    states = hidden.flatten(0, 1)[layout.source.to(hidden.device)[scored]]
    targets = layout.targets.to(hidden.device)[scored]
    size = max(1, MAX_LOGITS // vocabulary)
    chunks = zip(states.split(size), targets.split(size), strict=True)
    if len(states) <= size:
        parts = [_score(states, targets, compute_logits, temperature)]
    else:  # the logits of all chunks would not fit: the backward pass computes them again
        parts = [
            checkpoint(_score, *chunk, compute_logits, temperature, use_reentrant=False)
            for chunk in chunks
        ]
    logprobs, entropy = (torch.cat(part) for part in zip(*parts, strict=True))
    zeros = torch.zeros(scored.shape, device=hidden.device)
    return TokenLogprobs(
        logprobs=zeros.masked_scatter(scored, logprobs),
        entropy=zeros.masked_scatter(scored, entropy),
        mask=scored,
    )


def _score(
    states: Float[Tensor, "tokens width"],
    targets: Int[Tensor, "tokens"],
    compute_logits: ComputeLogits,
    temperature: float,
) -> tuple[Float[Tensor, "tokens"], Float[Tensor, "tokens"]]:
    """Log-probabilities of ``targets``, and entropies without gradient."""
    table = torch.log_softmax(compute_logits(states) / temperature, dim=-1)
    logprobs = table.gather(-1, targets[:, None])[:, 0]
    table = table.detach()
    return logprobs, -(table.exp() * table).sum(-1)
