"""Attention in rows of branches that share a prefix.

A stock model calls it for whole rows ``[prefix | branch 1 | branch 2 | ...]``. Within it the prefix
attends to itself once, and every branch to the prefix and to itself: no pair of tokens that must
not see each other is computed, and no mask has the row's length squared.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

GROUPED = "grouped_sdpa"
"""The name under which models find ``grouped_attention``."""

NO_MASK = torch.ones(1, 1, 1, 1, dtype=torch.bool)
"""Keeps a model from making a mask: ``groups`` say what is seen."""


@runtime_checkable
class AttendsInGroups(Protocol):
    """What a pass hands to the attention of every layer, as ``groups=``."""

    def attend(
        self,
        layer: int,
        query: Float[Tensor, "R heads L width"],
        key: Float[Tensor, "R kv_heads L width"],
        value: Float[Tensor, "R kv_heads L width"],
        scaling: float | None,
        sliding: bool,
    ) -> Float[Tensor, "R L heads width"]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Masks:
    """Who sees whom, True where it does."""

    prefix: Bool[Tensor, "R 1 P P"] | None
    """None where each token sees those before it."""
    branch: Bool[Tensor, "B 1 T P_T"]
    """Tokens of a branch see places of the prefix, then of the branch."""

    def to(self, device: torch.device) -> "Masks":
        """On ``device``."""
        prefix = None if self.prefix is None else self.prefix.to(device)
        return Masks(prefix=prefix, branch=self.branch.to(device))


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Where the branches of a pass stand in its rows."""

    places: Int[Tensor, "B T"]
    """Flat index into ``R * L`` of each branch token; any place for padding."""
    seen: Int[Tensor, "B P_T"]
    """Of what a branch may see: its prefix, then itself."""
    restored: Int[Tensor, "R L"]
    """For each place its index among ``R * P`` places of prefixes, then ``B * T`` of branches."""
    longest_prefix: int
    """P"""
    full: Masks
    sliding: Masks | None
    """In layers with a window; None where no layer has one."""

    def to(self, device: torch.device) -> "Groups":
        """On ``device``."""
        return Groups(
            places=self.places.to(device),
            seen=self.seen.to(device),
            restored=self.restored.to(device),
            longest_prefix=self.longest_prefix,
            full=self.full.to(device),
            sliding=self.sliding and self.sliding.to(device),
        )

    def attend(
        self,
        layer: int,
        query: Float[Tensor, "R heads L width"],
        key: Float[Tensor, "R kv_heads L width"],
        value: Float[Tensor, "R kv_heads L width"],
        scaling: float | None,
        sliding: bool,
    ) -> Float[Tensor, "R L heads width"]:
        """What each place has gathered from what it sees."""
        masks = self.sliding if sliding and self.sliding else self.full
        attend = partial(
            F.scaled_dot_product_attention,
            scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        prefixes = attend(
            *(x[:, :, : self.longest_prefix] for x in (query, key, value)),
            attn_mask=masks.prefix,
            is_causal=masks.prefix is None,
        )
        branches = attend(
            gather_states(query, self.places),
            gather_states(key, self.seen),
            gather_states(value, self.seen),
            attn_mask=masks.branch,
        )
        both = torch.cat([x.transpose(1, 2).flatten(0, 1) for x in (prefixes, branches)])
        return both.index_select(0, self.restored.flatten()).unflatten(0, self.restored.shape)


def gather_states(
    states: Float[Tensor, "R heads L width"], places: Int[Tensor, "B S"]
) -> Float[Tensor, "B heads S width"]:
    """The states at flat places ``R * L``."""
    # Its backward pass takes half the time of that of states[places].
    flat = states.transpose(1, 2).flatten(0, 1).index_select(0, places.flatten())
    return flat.unflatten(0, places.shape).transpose(1, 2)


def grouped_attention(
    module: Any,
    query: Float[Tensor, "R heads L width"],
    key: Float[Tensor, "R kv_heads S width"],
    value: Float[Tensor, "R kv_heads S width"],
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    groups: AttendsInGroups | None = None,
    **options: Any,
) -> tuple[Float[Tensor, "R L heads width"], None]:
    """``groups.attend``, or stock attention where a pass has no groups."""
    if groups is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
    sliding = sliding_window is not None
    return groups.attend(module.layer_idx, query, key, value, scaling, sliding), None


def attend_in_groups(vlm: PreTrainedModel) -> None:
    """Let the language layers of ``vlm`` heed ``groups=``."""
    vlm.config.get_text_config()._attn_implementation = GROUPED


AttentionInterface.register(GROUPED, grouped_attention)
AttentionMaskInterface.register(GROUPED, sdpa_mask)
