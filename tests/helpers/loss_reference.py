"""The policy loss once more, as loops over Python floats: value and derivative by hand."""

import itertools
import math
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from groundrl.losses import LossInputs, PolicyLoss

LIMIT = 20.0
TOKEN_LIMIT = 9

RATIOS: tuple[Literal["token", "sequence"], ...] = ("token", "sequence")
KLS: tuple[Literal["k1", "k2", "k3"], ...] = ("k1", "k2", "k3")
AGGREGATIONS: tuple[Literal["sequence_mean", "token_mean", "constant"], ...] = (
    "sequence_mean",
    "token_mean",
    "constant",
)

CHOICES = [
    PolicyLoss(
        ratio=ratio,
        kl=kl,
        aggregation=aggregation,
        clip_high=clip_high,
        kl_coef=kl_coef,
        mask_truncated=mask_truncated,
        importance_cap=cap,
        max_completion_tokens=TOKEN_LIMIT,
    )
    for ratio, kl, aggregation, clip_high, kl_coef, mask_truncated, cap in itertools.product(
        RATIOS,
        KLS,
        AGGREGATIONS,
        [0.2, 0.28],
        [0.0, 0.04],
        [False, True],
        [None, 1.5],
    )
]
"""All combinations of the named choices."""


def example(dtype: torch.dtype, per_token: bool, seed: int = 0) -> LossInputs:
    """Five completions of up to 7 tokens, off-policy enough for clipping to happen."""
    make = torch.Generator().manual_seed(seed)

    def noise(scale: float) -> Tensor:
        return scale * torch.randn(5, 7, generator=make, dtype=torch.float64)

    logprobs = -noise(2.0).abs() - 0.05
    lengths = torch.tensor([7, 3, 5, 1, 6])
    advantages = torch.randn(5, 7, generator=make, dtype=torch.float64)
    return LossInputs(
        logprobs=logprobs.to(dtype).requires_grad_(),
        old_logprobs=(logprobs + noise(0.4)).to(dtype),
        ref_logprobs=(logprobs + noise(0.7)).to(dtype),
        sampler_logprobs=(logprobs + noise(0.5)).to(dtype),
        advantages=(advantages if per_token else advantages[:, 0]).to(dtype),
        completion_mask=torch.arange(7) < lengths[:, None],
        truncated=torch.tensor([False, True, False, False, True]),
    )


def rows_of(inputs: LossInputs, start: int, stop: int) -> LossInputs:
    """A minibatch."""
    names = LossInputs.__dataclass_fields__
    values = {name: getattr(inputs, name) for name in names}
    return replace(inputs, **{k: v if v is None else v[start:stop] for k, v in values.items()})


def kl_and_slope(kind: str, d: float) -> tuple[float, float]:
    """The estimator at ``d = ref - lp`` and its derivative with respect to lp."""
    if kind == "k1":
        return -d, 1.0
    if kind == "k2":
        return d * d / 2, -d
    return (math.exp(d) - d - 1, 1 - math.exp(d)) if d <= LIMIT else (math.exp(LIMIT) - 21, 0.0)


def token_term(
    loss: PolicyLoss, log_rho: float, advantage: float, old_gap: float, d: float
) -> tuple[float, float]:
    """One token's contribution before aggregation, and its derivative with respect to lp."""
    rho = math.exp(log_rho)
    inside = min(max(rho, 1 - loss.clip_low), 1 + loss.clip_high)
    value, slope = -rho * advantage, -rho * advantage
    if inside * advantage < rho * advantage:
        value, slope = -inside * advantage, 0.0
    if loss.importance_cap is not None:
        weight = min(math.exp(old_gap), loss.importance_cap)
        value, slope = weight * value, weight * slope
    if loss.kl_coef:
        kl, kl_slope = kl_and_slope(loss.kl, d)
        value, slope = value + loss.kl_coef * kl, slope + loss.kl_coef * kl_slope
    return value, slope


def reference(loss: PolicyLoss, inputs: LossInputs) -> tuple[float, list[list[float]]]:
    """The loss and its gradient with respect to ``logprobs``."""
    lp, old, ref, sampler, advantages, mask, truncated = (
        getattr(inputs, name).tolist()
        for name in (
            "logprobs",
            "old_logprobs",
            "ref_logprobs",
            "sampler_logprobs",
            "advantages",
            "completion_mask",
            "truncated",
        )
    )
    kept = [i for i in range(len(lp)) if not (loss.mask_truncated and truncated[i])]
    lengths = {i: sum(mask[i]) for i in kept}
    total = 0.0
    gradient = [[0.0] * len(row) for row in lp]
    for i in kept:
        mean = sum(lp[i][t] - old[i][t] for t in range(lengths[i])) / lengths[i]
        divisor = {
            "sequence_mean": len(kept) * lengths[i],
            "token_mean": sum(lengths.values()),
            "constant": len(kept) * TOKEN_LIMIT,
        }[loss.aggregation]
        for t in range(lengths[i]):
            value, slope = token_term(
                loss,
                lp[i][t] - old[i][t] if loss.ratio == "token" else mean,
                advantages[i][t] if isinstance(advantages[i], list) else advantages[i],
                old[i][t] - sampler[i][t],
                ref[i][t] - lp[i][t],
            )
            total += value / divisor
            gradient[i][t] = slope / divisor
    return total, gradient
