"""Rewards -> advantages: how much better a completion is than the others of its group."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Kind = Literal["group_std", "group_mean", "batch_std", "leave_one_out"]
Combine = Literal["sum_then_normalize", "normalize_then_sum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advantage:
    """How rewards ``r`` become advantages, for P prompts of G completions each.

    * group_std: ``(r - mean_G) / (std_G + eps)``, GRPO (arXiv 2402.03300, section 4.1.2)
    * group_mean: ``r - mean_G``, Dr. GRPO (arXiv 2503.20783, section 3.2)
    * batch_std: ``a / (std_PG(a) + eps)`` with ``a = r - mean_G``, the baseline variant of
      REINFORCE++ (arXiv 2501.03262)
    * leave_one_out: ``r - mean of the other G - 1 = (r - mean_G) * G / (G - 1)``, RLOO
      (arXiv 2402.14740)

    Standard deviations are the unbiased ones. A group of equal rewards gets exactly 0.

    ``combine``: what is done with several terms ``r_k`` of weight ``w_k``.

    * sum_then_normalize: the advantage of ``sum(w_k r_k)``
    * normalize_then_sum: ``a / (std_PG(a) + eps)`` with ``a = sum(w_k advantage(r_k))``, GDPO
      (arXiv 2601.05242): a term that varies little in a group, a right answer among wrong ones,
      counts as much as one that always varies, the overlap of boxes
    """

    kind: Kind = "group_std"
    combine: Combine = "normalize_then_sum"
    eps: float = 1e-4
    """Added to the standard deviation, in units of the reward."""

    def __call__(self, rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
        """Advantages in the dtype of ``rewards``; ValueError when a group has one completion."""
        group_size = rewards.shape[1]
        if group_size < 2:
            raise ValueError(f"an advantage needs groups of two or more, got {group_size}")
        centered = rewards - rewards.mean(dim=1, keepdim=True)
        # The mean of equal numbers may be off by one rounding, which eps would then blow up.
        centered = centered.masked_fill(zero_variance(rewards)[:, None], 0.0)
        match self.kind:
            case "group_std":
                return centered / (rewards.std(dim=1, keepdim=True) + self.eps)
            case "group_mean":
                return centered
            case "batch_std":
                return centered / (centered.std() + self.eps)
            case "leave_one_out":
                return centered * (group_size / (group_size - 1))

    def of_terms(
        self, terms: Float[Tensor, "K P G"], weights: Float[Tensor, "K"]
    ) -> Float[Tensor, "P G"]:
        """Advantages in single precision of unweighted terms, 0 where a term does not apply;
        ValueError as above."""
        if self.combine == "sum_then_normalize":
            # In single precision, in which sums that differ by a rounding are equal.
            return self(torch.einsum("k,kpg->pg", weights, terms).float())
        single = torch.stack([self(term) for term in terms])
        advantages = torch.einsum("k,kpg->pg", weights, single)
        return (advantages / (advantages.std() + self.eps)).float()


def zero_variance(rewards: Float[Tensor, "P G"]) -> Bool[Tensor, "P"]:
    """True for groups whose rewards are all equal: their advantages are 0."""
    return torch.eq(rewards, rewards[:, :1]).all(dim=1)
