"""The policy loss: one formula with named choices.

    L = 1/N * sum_i sum_t c_i * (w_it * policy_it + kl_coef * kl_it)

over completions i and their tokens t; see ``PolicyLoss`` for each symbol.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from groundrl.config_node import ConfigNode
from groundrl.errors import UserError

LOSS_METRICS = {
    "policy/loss": "Policy loss of the step, KL penalty included.",
    "policy/kl": "KL(policy || reference) per token, nats, by the loss's estimator.",
    "policy/ratio_mean": "Mean importance ratio policy / old policy over tokens; 1 on-policy.",
    "policy/clip_frac_low": "Share of tokens whose ratio is cut from below.",
    "policy/clip_frac_high": "Share of tokens whose ratio is cut from above.",
    "policy/sampler_gap": "Mean |old - sampler| log-probability per token, nats; 0 where missing.",
    "policy/sampler_missing_frac": "Share of tokens without a finite sampler log-probability.",
}
"""Name -> meaning of the metrics of ``PolicyLoss``."""

LOG_RATIO_LIMIT = 20.0
"""Log-ratios above this are cut before ``exp``: e^20 = 5e8 is finite in float32, e^89 is not. A
token beyond the cut (its probability changed 5e8-fold) counts in the loss and has no gradient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossInputs:
    """B completions padded to T tokens. Log-probabilities are natural logarithms."""

    logprobs: Float[Tensor, "B T"]
    """Under the policy that learns; the only field that gradients flow to."""
    old_logprobs: Float[Tensor, "B T"] | None = None
    """Under the policy that sampled; None on-policy, where it is ``logprobs`` itself."""
    ref_logprobs: Float[Tensor, "B T"] | None = None
    """Under the reference; needed when ``kl_coef > 0``."""
    sampler_logprobs: Float[Tensor, "B T"] | None = None
    """As the rollout engine reported them; needed with ``importance_cap``. NaN or infinite where
    the engine has no value for a token."""
    advantages: Float[Tensor, "B"] | Float[Tensor, "B T"]
    """One per completion, or one per token."""
    completion_mask: Bool[Tensor, "B T"]
    """True on the completion's tokens, the end-of-turn token included."""
    truncated: Bool[Tensor, "B"] | None = None
    """Completions cut off at the token limit; needed with ``mask_truncated``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalizer:
    """The denominators of a whole optimizer step, so that minibatch losses add up to it.

    It may be 0 where nothing counts: then losses and metrics are 0.
    """

    loss: Float[Tensor, ""]
    """Completions, tokens, or completions times the token limit, as ``aggregation`` says."""
    tokens: Float[Tensor, ""]
    """Tokens that count; the metrics are means over them."""

    def __add__(self, other: "Normalizer") -> "Normalizer":
        """The denominators of both shares of a step."""
        return Normalizer(loss=self.loss + other.loss, tokens=self.tokens + other.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossOutput:
    """A loss and what is logged beside it, both as shares that add up over minibatches."""

    loss: Float[Tensor, ""]
    metrics: dict[str, Float[Tensor, ""]]
    """Detached means over the step's tokens: ``policy/...``"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoss:
    """Clipped policy gradient with a KL penalty.

    ``policy = -min(rho * A, clip(rho, 1 - clip_low, 1 + clip_high) * A)`` (arXiv 1707.06347,
    eq. 7); ``d = ref_logprobs - logprobs``; c_i is 1 / length for ``sequence_mean``, else 1; N is
    the Normalizer's ``loss``. All of it is computed in float32 or better.
    """

    ratio: Literal["token", "sequence"] = "token"
    """token: ``rho = exp(logprobs - old_logprobs)`` (GRPO, arXiv 2402.03300, eq. 3).
    sequence: its geometric mean over the completion, with the gradient of each token going to that
    token (GSPO-token, arXiv 2507.18071, section 4.3; equals GSPO when A is one per completion)."""
    clip_low: float = 0.2
    clip_high: float = 0.2
    """0.28 in DAPO's clip-higher (arXiv 2503.14476, section 3.1)."""
    kl: Literal["k1", "k2", "k3"] = "k3"
    """Estimator of KL(policy || reference) per token. k1: ``-d``, unbiased, but its gradient has
    expectation 0 on-policy. k2: ``d^2 / 2``. k3: ``exp(d) - d - 1`` with d cut at LOG_RATIO_LIMIT
    (Schulman, "Approximating KL divergence", 2020; arXiv 2402.03300, eq. 4)."""
    kl_coef: float = 0.01
    """0 trains without a reference."""
    aggregation: Literal["sequence_mean", "token_mean", "constant"] = "sequence_mean"
    """sequence_mean: mean over completions of the mean over their tokens (GRPO).
    token_mean: mean over all tokens (DAPO, section 3.3).
    constant: sum over tokens / (completions * max_completion_tokens) (Dr. GRPO, section 3.2)."""
    max_completion_tokens: int | None = None
    """The rollout's token limit; needed by ``constant``."""
    mask_truncated: bool = False
    """Leave truncated completions out of the loss (DAPO, section 3.4); their rewards still count in
    the mean and deviation of their group."""
    importance_cap: float | None = None
    """Weight the policy term by ``w = min(exp(old_logprobs - sampler_logprobs), cap)``: truncated
    importance sampling, where a rollout engine's numbers differ from the trainer's. ``w = 1`` where
    the sampler's log-probability is not finite: a sampled token cannot have probability 0, so such
    a value says nothing about the token, and the loss is the one without a correction. The cap
    would weight unknown tokens most, and 0 would not learn from them."""

    def __post_init__(self) -> None:
        if self.aggregation == "constant" and not self.max_completion_tokens:
            raise UserError(
                "aggregation=constant divides by the token limit, but max_completion_tokens is "
                f"{self.max_completion_tokens}: set it to the rollout's max_tokens"
            )
        if not 0 <= self.clip_low < 1 or self.clip_high < 0:
            raise UserError(
                f"clip_low={self.clip_low}, clip_high={self.clip_high}: expected 0 <= clip_low < 1 "
                "and clip_high >= 0, such as clip_low=0.2 clip_high=0.28"
            )

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """The importance ratio divides by a distribution that is cut nowhere."""
        if not node.options.get("importance_cap"):
            return
        cap = f"{node.path}.importance_cap"
        cuts = [(p, "1.0") for p, share in node.named("top_p") if share not in (None, 1)]
        cuts += [(p, "0") for p, count in node.named("top_k") if count]
        cuts += [(p, "0.0") for p, share in node.named("min_p") if share]
        for cut, off in cuts:
            yield (
                f"{cut} cuts the sampling distribution, which biases the ratio that {cap} "
                f"corrects: type {cut}={off}, or {cap}=null"
            )

    def normalizer(
        self, completion_mask: Bool[Tensor, "B T"], truncated: Bool[Tensor, "B"] | None = None
    ) -> Normalizer:
        """Denominators of the step whose completions these are; rows without tokens are padding."""
        mask = self.loss_mask(completion_mask, truncated)
        tokens = mask.sum().float()
        completions = mask.any(dim=1).sum().float()
        match self.aggregation:
            case "sequence_mean":
                loss = completions
            case "token_mean":
                loss = tokens
            case "constant":
                assert self.max_completion_tokens
                loss = completions * self.max_completion_tokens
        return Normalizer(loss=loss, tokens=tokens)

    def __call__(self, inputs: LossInputs, normalizer: Normalizer | None = None) -> LossOutput:
        """The share of ``inputs`` in the step's loss; without ``normalizer`` they are the step.

        Raises ValueError when a choice needs an input that is None.
        """
        if self.kl_coef and inputs.ref_logprobs is None:
            raise ValueError(f"kl_coef={self.kl_coef} needs ref_logprobs")
        if self.importance_cap is not None and inputs.sampler_logprobs is None:
            raise ValueError(f"importance_cap={self.importance_cap} needs sampler_logprobs")
        mask = self.loss_mask(inputs.completion_mask, inputs.truncated)
        normalizer = normalizer or self.normalizer(inputs.completion_mask, inputs.truncated)
        logprobs = _widened(inputs.logprobs, mask)
        old = logprobs.detach()
        if inputs.old_logprobs is not None:
            old = _widened(inputs.old_logprobs, mask).detach()
        advantages = inputs.advantages.to(logprobs.dtype)
        if advantages.ndim == 1:
            advantages = advantages[:, None]

        rho = self._ratio(logprobs, old, mask)
        clipped = rho.clamp(1 - self.clip_low, 1 + self.clip_high)
        per_token = -torch.min(rho * advantages, clipped * advantages)
        means = {
            "policy/ratio_mean": rho,
            "policy/clip_frac_low": (rho < 1 - self.clip_low) & (advantages < 0),
            "policy/clip_frac_high": (rho > 1 + self.clip_high) & (advantages > 0),
        }
        if inputs.sampler_logprobs is not None:
            sampler = _widened(inputs.sampler_logprobs, mask).detach()
            # Replaced before the subtraction: inf - inf is nan, and so is 0 * inf.
            gap = torch.where(sampler.isfinite(), old - sampler, 0.0)
            means["policy/sampler_gap"] = gap.abs()
            means["policy/sampler_missing_frac"] = ~sampler.isfinite()
            if self.importance_cap is not None:
                per_token = per_token * _exp(gap).clamp(max=self.importance_cap)
        if inputs.ref_logprobs is not None:
            ref = _widened(inputs.ref_logprobs, mask).detach()
            means["policy/kl"] = kl = self._kl(ref - logprobs)
            per_token = per_token + self.kl_coef * kl

        loss = self._sum(per_token, mask) / normalizer.loss.clamp(min=1)
        tokens = normalizer.tokens.clamp(min=1)
        metrics = {k: (v.detach() * mask).sum() / tokens for k, v in means.items()}
        return LossOutput(loss=loss, metrics={"policy/loss": loss.detach(), **metrics})

    def loss_mask(
        self, completion_mask: Bool[Tensor, "B T"], truncated: Bool[Tensor, "B"] | None
    ) -> Bool[Tensor, "B T"]:
        """True on the tokens that are learned from: all, or those of completions that end.

        Raises ValueError when ``mask_truncated`` lacks ``truncated``.
        """
        if not self.mask_truncated:
            return completion_mask
        if truncated is None:
            raise ValueError("mask_truncated needs to know which completions are truncated")
        return completion_mask & ~truncated[:, None]

    def _ratio(
        self,
        logprobs: Float[Tensor, "B T"],
        old: Float[Tensor, "B T"],
        mask: Bool[Tensor, "B T"],
    ) -> Float[Tensor, "B T"]:
        """Importance ratio rho of each token; 1 on padding for ``token``."""
        log_ratio = logprobs - old
        if self.ratio == "sequence":
            lengths = mask.sum(dim=1, keepdim=True).clamp(min=1)
            mean = (log_ratio * mask).sum(dim=1, keepdim=True) / lengths
            # The bracket is exactly 0 and lends each token its own gradient.
            log_ratio = mean.detach() + (logprobs - logprobs.detach())
        return _exp(log_ratio)

    def _kl(self, d: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
        """KL estimate of each token from ``d = ref_logprobs - logprobs``."""
        match self.kl:
            case "k1":
                return -d
            case "k2":
                return d.square() / 2
            case "k3":
                d = d.clamp(max=LOG_RATIO_LIMIT)
                # expm1: exp(d) - 1 loses all its digits for the small d of a young policy.
                return torch.expm1(d) - d

    def _sum(self, per_token: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, ""]:
        """The numerator that belongs to ``normalizer``."""
        rows = (per_token * mask).sum(dim=1)
        if self.aggregation == "sequence_mean":
            rows = rows / mask.sum(dim=1).clamp(min=1)
        return rows.sum()


def _widened(values: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """At least float32, and 0 on padding."""
    # What padding holds is undefined and 0 * inf is nan: so it is replaced, not multiplied.
    return values.to(torch.promote_types(values.dtype, torch.float32)).masked_fill(~mask, 0.0)


def _exp(log_ratio: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """``exp`` that stays finite in float32."""
    return log_ratio.clamp(max=LOG_RATIO_LIMIT).exp()
