"""An adapter merged into its base, for use elsewhere. The live base of a training is never merged
into: merging in 16 bits and back changes it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from peft import PeftModel
from torch import Tensor

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example
from groundrl.policy.shared_prefix.layout import Branch


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeDifferences:
    """Largest differences of a token's log-probability from the adapter beside its base, nats; both
    in float32."""

    merged: float
    saved: float
    """Once the merged weights are rounded to the type in which they are saved."""
    tokens: int
    """That were compared."""


def merge_adapter(
    policy: Policy, dtype: torch.dtype, examples: Sequence[Example], answers: Sequence[list[int]]
) -> MergeDifferences:
    """Put ``W + (alpha / rank) B A``, computed in float32, in place of each adapted weight, and
    round all weights to ``dtype``. A policy without adapter is only rounded.

    ``answers``: token ids of an answer to each example, whose log-probabilities are compared.
    """
    policy.float()
    before = answer_logprobs(policy, examples, answers)
    if isinstance(policy.model, PeftModel):
        policy.model = policy.model.merge_and_unload(safe_merge=True)
    merged = answer_logprobs(policy, examples, answers)
    # Rounded and read back: the arithmetic of the comparison stays that of float32.
    policy.to(dtype).float()
    saved = answer_logprobs(policy, examples, answers)
    policy.to(dtype)
    return MergeDifferences(
        merged=largest_difference(before, merged),
        saved=largest_difference(before, saved),
        tokens=sum(map(len, answers)),
    )


@torch.no_grad()
def answer_logprobs(
    policy: Policy, examples: Sequence[Example], answers: Sequence[list[int]]
) -> Float[Tensor, "B T"]:
    """Log-probability of each token of each answer, 0 on padding."""
    prompts = [prompt for _, prompt in examples]
    scored = policy.logprobs(prompts, [[Branch(tokens=tokens)] for tokens in answers])
    return scored.logprobs.cpu()


def largest_difference(a: Float[Tensor, "B T"], b: Float[Tensor, "B T"]) -> float:
    """Largest absolute difference of two entries."""
    return (a - b).abs().max().item()
