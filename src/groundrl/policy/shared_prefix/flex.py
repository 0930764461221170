"""Prefix-shared attention by FlexAttention (arXiv 2412.05496): on a GPU, blocks in which no token
attends to another are skipped, and keys of prefixes are not copied for the branches."""

from dataclasses import dataclass
from functools import cache
from typing import Any, no_type_check

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexPrefixAttention:
    """The same attention as ``SdpaPrefixAttention``, with block masks."""

    full: BlockMask
    sliding: BlockMask | None
    """For sliding-window layers; None where the model has none."""

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
        output = compiled_flex_attention()(
            query,
            key,
            value,
            block_mask=self.sliding if sliding and self.sliding else self.full,
            scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return output.transpose(1, 2)


@cache
def compiled_flex_attention() -> Any:
    """Without compilation, the scores of all pairs of tokens would be computed and stored."""
    return torch.compile(flex_attention)


def flex_prefix_attention(
    owner: Int[Tensor, "R L"],
    position: Int[Tensor, "R L"],
    image: Int[Tensor, "R L"] | None,
    window: int | None,
) -> FlexPrefixAttention:
    """``owner``: -1 for the prefix, k for the k-th branch, -2 for padding. ``image``: k on tokens
    of the k-th image, 0 elsewhere; None unless the tokens of an image attend to each other."""

    @no_type_check  # torch counts the arguments of mask functions
    def attends(row: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        key_owner = owner[row, k]
        allowed = (k <= q) & ((key_owner == -1) | (key_owner == owner[row, q]))
        if image is not None:
            allowed = allowed | ((image[row, q] > 0) & (image[row, q] == image[row, k]))
        return allowed

    @no_type_check
    def attends_in_window(row: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        distance = position[row, q] - position[row, k]
        return attends(row, head, q, k) & (distance < (window or 0))

    rows, length = owner.shape
    shape = {"B": rows, "H": None, "Q_LEN": length, "KV_LEN": length, "device": owner.device}
    return FlexPrefixAttention(
        full=create_block_mask(attends, **shape),
        sliding=create_block_mask(attends_in_window, **shape) if window else None,
    )
