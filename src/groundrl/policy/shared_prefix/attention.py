"""Prefix-shared attention: completions of one prompt share the prompt's computation.

The language layers call it for whole rows ``[prefix | branch 1 | branch 2 | ...]``. The prefix
attends to itself once, and each branch to the prefix and to itself. Pairs of tokens that must not
attend to each other are not computed, and there is no mask of the row's length squared.
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

ATTENTION_NAME = "prefix_shared_sdpa"
"""The name under which ``prefix_attention_forward`` is registered with ``transformers``."""

NO_MASK = torch.ones(1, 1, 1, 1, dtype=torch.bool)
"""Given as ``attention_mask`` so that a model makes none: ``prefix_attention`` replaces it."""


@runtime_checkable
class PrefixAttention(Protocol):
    """The attention of one forward pass; every layer gets it as ``prefix_attention=``."""

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
class AttentionMasks:
    """True where a query (next to last dimension) attends to a key (last dimension)."""

    prefix: Bool[Tensor, "R 1 P P"] | None
    """None: causal."""
    branch: Bool[Tensor, "B 1 T P_T"]
    """Queries are branch tokens; keys are the prefix, then the branch itself."""

    def to(self, device: torch.device) -> "AttentionMasks":
        """On ``device``."""
        prefix = None if self.prefix is None else self.prefix.to(device)
        return AttentionMasks(prefix=prefix, branch=self.branch.to(device))


@dataclass(frozen=True, slots=True, kw_only=True)
class SdpaPrefixAttention:
    """Prefix-shared attention as two calls of ``scaled_dot_product_attention``: one for the
    prefixes, one for all branches with the keys of their prefixes copied in front."""

    branch_index: Int[Tensor, "B T"]
    """Flat index into ``R * L`` of each branch token; any index for padding."""
    key_index: Int[Tensor, "B P_T"]
    """Flat index into ``R * L`` of the keys of each branch: its prefix, then itself."""
    output_index: Int[Tensor, "R L"]
    """For each token of the rows, its index among the outputs: ``R * P`` of prefixes, then
    ``B * T`` of branches."""
    longest_prefix: int
    """P"""
    full: AttentionMasks
    sliding: AttentionMasks | None
    """For sliding-window layers; None where the model has none."""

    def to(self, device: torch.device) -> "SdpaPrefixAttention":
        """On ``device``."""
        return SdpaPrefixAttention(
            branch_index=self.branch_index.to(device),
            key_index=self.key_index.to(device),
            output_index=self.output_index.to(device),
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
        """The attention output of each token."""
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
            gather_states(query, self.branch_index),
            gather_states(key, self.key_index),
            gather_states(value, self.key_index),
            attn_mask=masks.branch,
        )
        both = torch.cat([x.transpose(1, 2).flatten(0, 1) for x in (prefixes, branches)])
        return both.index_select(0, self.output_index.flatten()).unflatten(
            0, self.output_index.shape
        )


def gather_states(
    states: Float[Tensor, "R heads L width"], index: Int[Tensor, "B S"]
) -> Float[Tensor, "B heads S width"]:
    """The states at flat indices into ``R * L``."""
    # The backward pass of index_select takes half the time of that of states[index].
    flat = states.transpose(1, 2).flatten(0, 1).index_select(0, index.flatten())
    return flat.unflatten(0, index.shape).transpose(1, 2)


def prefix_attention_forward(
    module: Any,
    query: Float[Tensor, "R heads L width"],
    key: Float[Tensor, "R kv_heads S width"],
    value: Float[Tensor, "R kv_heads S width"],
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    prefix_attention: PrefixAttention | None = None,
    **options: Any,
) -> tuple[Float[Tensor, "R L heads width"], None]:
    """``prefix_attention.attend``, or stock attention in a pass without ``prefix_attention``."""
    if prefix_attention is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
    sliding = sliding_window is not None
    return prefix_attention.attend(module.layer_idx, query, key, value, scaling, sliding), None


def use_prefix_attention(vlm: PreTrainedModel) -> None:
    """Make the language layers of ``vlm`` take ``prefix_attention=``."""
    vlm.config.get_text_config()._attn_implementation = ATTENTION_NAME


AttentionInterface.register(ATTENTION_NAME, prefix_attention_forward)
AttentionMaskInterface.register(ATTENTION_NAME, sdpa_mask)
