"""The same attention by FlexAttention (arXiv 2412.05496): on a GPU, blocks of the row that nobody
sees are skipped, and no keys are copied for branches."""

from dataclasses import dataclass
from functools import cache
from typing import Any, no_type_check

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexGroups:
    """What ``Groups`` is, as masks of blocks."""

    full: BlockMask
    sliding: BlockMask | None

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
        gathered = compiled()(
            query,
            key,
            value,
            block_mask=self.sliding if sliding and self.sliding else self.full,
            scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return gathered.transpose(1, 2)


@cache
def compiled() -> Any:
    """Without compilation, all pairs of tokens would be computed and kept."""
    return torch.compile(flex_attention)


def flex_groups(
    owner: Int[Tensor, "R L"],
    position: Int[Tensor, "R L"],
    image: Int[Tensor, "R L"] | None,
    window: int | None,
) -> FlexGroups:
    """``owner``: -1 for the prefix, k for the k-th branch, -2 for padding. ``image``: k on tokens
    of the k-th image, 0 elsewhere, if they see each other."""

    @no_type_check  # torch counts the arguments of mask functions
    def sees(row: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        its = owner[row, k]
        seen = (k <= q) & ((its == -1) | (its == owner[row, q]))
        if image is not None:
            seen = seen | ((image[row, q] > 0) & (image[row, q] == image[row, k]))
        return seen

    @no_type_check
    def near(row: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return sees(row, head, q, k) & (position[row, q] - position[row, k] < (window or 0))

    rows, length = owner.shape
    shape = {"B": rows, "H": None, "Q_LEN": length, "KV_LEN": length, "device": owner.device}
    return FlexGroups(
        full=create_block_mask(sees, **shape),
        sliding=create_block_mask(near, **shape) if window else None,
    )
