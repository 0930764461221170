"""A number for the bits of weights."""

from collections.abc import Iterable

import torch
from torch import Tensor

WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integer type by size in bytes."""
AT_ONCE = 2**24


@torch.no_grad()
def fingerprint(tensors: Iterable[Tensor]) -> int:
    """``sum_i w_i * (2 i + 1)`` over the words w of each tensor, chained, modulo 2^64.

    Factors are odd, so that a change of one word always shows. Computed where the tensors are; sums
    of integers do not depend on their order.
    """
    total = 0
    for tensor in tensors:
        words = tensor.detach().flatten().view(WORDS[tensor.element_size()])
        part = 0
        for start in range(0, len(words), AT_ONCE):
            chunk = words[start : start + AT_ONCE].long()
            index = torch.arange(start, start + len(chunk), device=chunk.device)
            part += int((chunk * (2 * index + 1)).sum())
        total = (total * 1_000_003 + part + tensor.numel()) % 2**64
    return total
