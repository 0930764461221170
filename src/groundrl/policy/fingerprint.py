"""A fast hash of weights, to detect that they changed."""

from collections.abc import Iterable

import torch
from torch import Tensor

from groundrl.running.parallel import whole_tensor

WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integer type by size in bytes."""
CHUNK = 2**24
"""Words hashed at a time, which bounds the memory for their factors."""


@torch.no_grad()
def fingerprint(tensors: Iterable[Tensor]) -> int:
    """``sum_i w_i * (2 i + 1)`` over the words w of each tensor, chained, modulo 2^64.

    Factors are odd, so that a change of one word always changes the sum. Computed on the tensors'
    devices; the result is the same on all, since sums of integers do not depend on their order.
    """
    total = 0
    for tensor in tensors:
        words = whole_tensor(tensor.detach()).flatten().view(WORDS[tensor.element_size()])
        part = 0
        for start in range(0, len(words), CHUNK):
            chunk = words[start : start + CHUNK].long()
            index = torch.arange(start, start + len(chunk), device=chunk.device)
            part += int((chunk * (2 * index + 1)).sum())
        total = (total * 1_000_003 + part + tensor.numel()) % 2**64
    return total
