"""Advantages of single tokens, where a term of the reward rates parts of the text."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from groundrl.advantages import Advantage, TermAdvantages
from groundrl.records import Completion
from groundrl.rewards.base import RewardedAttempt

Decode = Callable[[Sequence[int]], str]


def token_advantages(
    attempts: Sequence[Sequence[RewardedAttempt]],
    advantages: TermAdvantages,
    weights: Mapping[str, float],
    advantage: Advantage,
    decode: Decode,
) -> Float[Tensor, "P G T"]:
    """Advantages of each token; 0 behind the end of a completion.

    A term that rates spans gives the tokens of each its own advantage, ``weight * advantage(r)``
    with r compared over all spans of the group, and other tokens nothing; in a group with less than
    two spans, and for every other term, all tokens get that of the completion. After the process
    supervision of arXiv 2402.03300, section 4.1.3, where a token gets the sum over its own and all
    later steps instead.

    ``weights``: of the terms, in the order of ``advantages.parts``.
    """
    longest = max(len(one.attempt.completion.tokens) for group in attempts for one in group)
    tokens = advantages.total[:, :, None].repeat(1, 1, longest)
    for p, group in enumerate(attempts):
        for k, (name, weight) in enumerate(weights.items()):
            owners = [
                (g, span) for g, one in enumerate(group) for span in one.score.spans.get(name, ())
            ]
            if len(owners) < 2:
                continue
            values = torch.tensor([[span.value for _, span in owners]], dtype=torch.float64)
            compared = advantage(values)[0] * weight * advantages.scale
            tokens[p] -= advantages.parts[k, p, :, None]
            for (g, span), value in zip(owners, compared.tolist(), strict=True):
                part = token_range(group[g].attempt.completion, span.start, span.stop, decode)
                tokens[p, g, part] += value
        for g, one in enumerate(group):
            tokens[p, g, len(one.attempt.completion.tokens) :] = 0.0
    return tokens


def token_range(completion: Completion, start: int, stop: int, decode: Decode) -> slice:
    """The tokens that write a part of the text; those across its ends belong to it."""
    tokens = completion.tokens

    def written(count: int) -> int:
        return len(decode(tokens[:count]))

    counts = range(len(tokens) + 1)
    # Of the first, the text ends after ``start``; the last reaches ``stop``.
    first = bisect_left(counts, start + 1, key=written) - 1
    last = bisect_left(counts, stop, key=written)
    return slice(max(first, 0), last)
