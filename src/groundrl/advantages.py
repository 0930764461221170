"""Rewards -> advantages: how much better a completion is than the others of its group."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from groundrl.config_node import ConfigNode

Kind = Literal["group_std", "group_mean", "batch_std", "leave_one_out"]
Combine = Literal["sum_then_normalize", "normalize_then_sum"]
Credit = Literal["completion", "span"]


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

    ``credit``: what a term does that rates parts of the text, such as sentences.

    * completion: every token has the advantage of the completion
    * span: every token has that of its span (``token_advantages``)
    """

    kind: Kind = "group_std"
    combine: Combine = "normalize_then_sum"
    credit: Credit = "completion"
    eps: float = 1e-4
    """Added to the standard deviation, in units of the reward."""

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """Spans are compared with each other, so each term is compared for itself."""
        if node.options.get("credit") == "span" and node.options.get("combine") not in (
            None,
            "normalize_then_sum",
        ):
            yield (
                f"{node.path}.credit=span compares each term for itself: type "
                f"{node.path}.combine=normalize_then_sum"
            )

    def __call__(self, rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
        """Advantages in the dtype of ``rewards``; ValueError when a group has one completion."""
        return center(rewards) / self._divisor(rewards)

    def _divisor(self, rewards: Float[Tensor, "P G"]) -> Float[Tensor, "#P #G"]:
        group_size = rewards.shape[1]
        match self.kind:
            case "group_std":
                return rewards.std(dim=1, keepdim=True) + self.eps
            case "group_mean":
                return rewards.new_ones(1, 1)
            case "batch_std":
                return (center(rewards).std() + self.eps)[None, None]
            case "leave_one_out":
                return rewards.new_full((1, 1), (group_size - 1) / group_size)

    def of_terms(
        self, terms: Float[Tensor, "K P G"], weights: Float[Tensor, "K"]
    ) -> "TermAdvantages":
        """Advantages of unweighted terms, NaN where a term does not apply: there it counts as the
        mean of its group, so that it is neither a loss nor a gain. ValueError as above."""
        applies = ~terms.isnan()
        terms = terms.nan_to_num()
        means = terms.sum(-1, keepdim=True) / applies.sum(-1, keepdim=True).clamp(min=1)
        terms = torch.where(applies, terms, means)
        if self.combine == "normalize_then_sum":
            parts = weights[:, None, None] * torch.stack([self(term) for term in terms])
            total = parts.sum(0)
            scale = 1 / (total.std() + self.eps)
            return TermAdvantages(
                total=(total * scale).float(), parts=(parts * scale).float(), scale=scale.item()
            )
        # In single precision, in which sums that differ by a rounding are equal.
        rewards = torch.einsum("k,kpg->pg", weights, terms).float()
        centered = torch.stack([center(term) for term in terms])
        parts = weights[:, None, None] * centered / self._divisor(rewards)
        return TermAdvantages(total=self(rewards), parts=parts.float(), scale=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermAdvantages:
    """Advantages, and what each term adds to them."""

    total: Float[Tensor, "P G"]
    parts: Float[Tensor, "K P G"]
    """Their sum is ``total``, up to rounding."""
    scale: float
    """Factor of the weighted advantages of single terms in ``parts``."""

    def of_prompts(self, part: slice) -> "TermAdvantages":
        """Those of some of the prompts."""
        return replace(self, total=self.total[part], parts=self.parts[:, part])

    def variance_shares(self) -> Float[Tensor, "K"]:
        """``cov(part_k, total) / var(total)`` of each term; they sum to 1, or are 0."""
        total = self.total - self.total.mean()
        parts = self.parts - self.parts.mean(dim=(1, 2), keepdim=True)
        return (parts * total).sum(dim=(1, 2)) / total.square().sum().clamp(min=1e-12)

    def varying_shares(self) -> Float[Tensor, "K"]:
        """Of the groups, the share in which a term differs between completions: in the others it
        teaches nothing."""
        return (self.parts != self.parts[..., :1]).any(dim=-1).float().mean(dim=1)

    def deciding_shares(self) -> Float[Tensor, "K"]:
        """Of the pairs in a group that differ, the share whose order a term decides: without it
        they would be equal or the other way round. 0 where no pair differs."""
        order = _pair_signs(self.total)
        differs = order != 0
        without = _pair_signs(self.total - self.parts)
        changed = (without != order) & differs
        return changed.sum(dim=(1, 2, 3)) / differs.sum().clamp(min=1)


def _pair_signs(values: Float[Tensor, "*K P G"]) -> Float[Tensor, "*K P G G"]:
    gaps = values[..., :, None] - values[..., None, :]
    return gaps.sign() * (gaps.abs() > 1e-5)


def center(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """``r - mean_G``, exactly 0 in a group of equal rewards; ValueError for groups of one."""
    if rewards.shape[1] < 2:
        raise ValueError(f"an advantage needs groups of two or more, got {rewards.shape[1]}")
    # The mean of equal numbers may be off by one rounding, which eps would then blow up.
    centered = rewards - rewards.mean(dim=1, keepdim=True)
    return centered.masked_fill(zero_variance(rewards)[:, None], 0.0)


def zero_variance(rewards: Float[Tensor, "P G"]) -> Bool[Tensor, "P"]:
    """True for groups whose rewards are all equal: their advantages are 0."""
    return torch.eq(rewards, rewards[:, :1]).all(dim=1)
