"""Faster, equal computation of the vision towers of Qwen-VL in ``transformers``."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface, PreTrainedModel

BATCHED_ATTENTION = "flash_batched_sdpa"
"""Towers pass all images at once, instead of one after the other, only to attention whose name
contains "flash"."""


class PatchProjection(nn.Conv3d):
    """A convolution over patches of the kernel's size, computed as a matrix product.

    On a CPU the backward pass of the convolution takes 100 times as long: more than the rest of a
    small tower.
    """

    def forward(self, input: Tensor) -> Tensor:
        """[patches, channels, time, height, width] -> [patches, width, 1, 1, 1]; a larger input
        is convolved as usual."""
        if input.shape[2:] != torch.Size(self.kernel_size):
            return super().forward(input)
        projected = F.linear(input.flatten(1), self.weight.flatten(1), self.bias)
        return projected[:, :, None, None, None]


def batched_attention(
    module: nn.Module,
    query: Float[Tensor, "1 heads S width"],
    key: Float[Tensor, "1 heads S width"],
    value: Float[Tensor, "1 heads S width"],
    attention_mask: None,
    cu_seq_lens_q: Int[Tensor, "bounds"],
    scaling: float,
    **options: object,
) -> tuple[Float[Tensor, "1 S heads width"], None]:
    """Attention within each image, or within each window of one; ``cu_seq_lens_q`` holds the start
    of each, and the end of the last. Images of equal size are computed in one call.
    """
    lengths = cu_seq_lens_q.diff().tolist()
    dtype = query.dtype
    if query.device.type == "cpu":  # the CPU kernel for 16 bits takes five times as long
        query, key, value = query.float(), key.float(), value.float()
    with torch.autocast(query.device.type, enabled=False):
        if len(set(lengths)) == 1:

            def by_image(x: Float[Tensor, "1 heads S width"]) -> Float[Tensor, "N heads T width"]:
                return x[0].unflatten(1, (len(lengths), -1)).transpose(0, 1)

            output = F.scaled_dot_product_attention(
                by_image(query), by_image(key), by_image(value), scale=scaling
            )
            output = output.transpose(1, 2).flatten(0, 1)[None]
        else:
            images = zip(*(x.split(lengths, dim=2) for x in (query, key, value)), strict=True)
            output = torch.cat(
                [F.scaled_dot_product_attention(q, k, v, scale=scaling) for q, k, v in images],
                dim=2,
            ).transpose(1, 2)
    return output.to(dtype), None


def speed_up_tower(vlm: PreTrainedModel) -> None:
    """Make ``vlm.model.visual`` use ``PatchProjection`` and ``batched_attention``."""
    tower = vlm.model.visual
    for module in tower.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = PatchProjection
    tower.config._attn_implementation = BATCHED_ATTENTION


AttentionInterface.register(BATCHED_ATTENTION, batched_attention)
