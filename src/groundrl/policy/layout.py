"""One row per group: ``[prefix | branch 1 | branch 2 | ...]``.

Every branch attends to the prefix and to itself, and its rotary positions go on from the end of
the prefix, so each branch gets exactly the log-probabilities of the row ``[prefix | branch]``
while the prefix (image and question) is computed once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Int
from torch import Tensor

LENGTH_STEP = 32
"""Rows are padded to a multiple of this: kernels are prepared, and kept, for every new shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The shared beginning of a row."""

    tokens: Int[Tensor, "prefix"]
    positions: Int[Tensor, "axes prefix"]
    """Rotary positions: one axis, or time, height and width (M-RoPE)."""
    images: Int[Tensor, "prefix"]
    """k on tokens that stand for the k-th image, 0 on text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A continuation of the prefix."""

    tokens: Sequence[int]
    context: int = 0
    """Leading tokens that are given, not scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Rows ready for the model, and where to read each branch's log-probabilities."""

    input_ids: Int[Tensor, "R L"]
    position_ids: Int[Tensor, "axes R L"]
    attention_mask: Bool[Tensor, "R 1 L L"]
    """True where the row's place i (third axis) sees place j (fourth)."""
    sliding_mask: Bool[Tensor, "R 1 L L"] | None
    """The same for layers with a window; None without one."""
    filled: Bool[Tensor, "R L"]
    """False on padding."""
    source: Int[Tensor, "B T"]
    """Flat index into ``R * L`` of the hidden state that predicts each branch token."""
    targets: Int[Tensor, "B T"]
    scored: Bool[Tensor, "B T"]
    """False on padding and on the context of a branch."""


def lay_out(
    prefixes: Sequence[Prefix],
    branches: Sequence[Sequence[Branch]],
    pad: int,
    window: int | None = None,
    images_see_themselves: bool = False,
) -> Layout:
    """Rows for R groups; B counts the branches of all rows in order.

    A token sees ``window`` positions back, its own included, in layers that have one, and with
    ``images_see_themselves`` all tokens of its own image.
    """
    rows, longest_row = len(prefixes), max(map(row_length, prefixes, branches))
    length = math.ceil(longest_row / LENGTH_STEP) * LENGTH_STEP
    flat = [branch for group in branches for branch in group]
    longest = max(len(branch.tokens) for branch in flat)
    input_ids = torch.full((rows, length), pad)
    position_ids = torch.zeros((len(prefixes[0].positions), rows, length), dtype=torch.long)
    image = torch.zeros((rows, length), dtype=torch.long)
    # The owner of a token: -1 for the prefix, k for branch k, -2 for padding.
    owner = torch.full((rows, length), -2)
    source = torch.zeros((len(flat), longest), dtype=torch.long)
    targets = torch.full((len(flat), longest), pad)
    scored = torch.zeros((len(flat), longest), dtype=torch.bool)
    index = 0
    for row, (prefix, group) in enumerate(zip(prefixes, branches, strict=True)):
        start = len(prefix.tokens)
        input_ids[row, :start] = prefix.tokens
        position_ids[:, row, :start] = prefix.positions
        owner[row, :start] = -1
        image[row, :start] = prefix.images
        after = int(prefix.positions.max()) + 1
        at = start
        for number, branch in enumerate(group):
            size = len(branch.tokens)
            tokens = torch.tensor(branch.tokens)
            here = torch.arange(at, at + size)
            input_ids[row, here] = tokens
            position_ids[:, row, here] = after + torch.arange(size)
            owner[row, here] = number
            source[index, :size] = row * length + here - 1
            source[index, 0] = row * length + start - 1
            targets[index, :size] = tokens
            scored[index, branch.context : size] = True
            at += size
            index += 1
    visible = _visible(owner, image if images_see_themselves else torch.zeros_like(image))
    position = position_ids[0]
    far = position[:, None, None, :] <= position[:, None, :, None] - (window or length)
    return Layout(
        input_ids=input_ids,
        position_ids=position_ids,
        attention_mask=visible,
        sliding_mask=visible & ~far if window else None,
        filled=owner != -2,
        source=source,
        targets=targets,
        scored=scored,
    )


def packs(rows: Sequence[int], budget: int) -> list[list[int]]:
    """Indices of ``rows`` by forward pass: padded to its longest row, a pass holds at most
    ``budget`` tokens. A longer row has a pass of its own."""
    found: list[list[int]] = []
    for i in sorted(range(len(rows)), key=rows.__getitem__):  # the newest is the longest
        if found and (len(found[-1]) + 1) * rows[i] <= budget:
            found[-1].append(i)
        else:
            found.append([i])
    return found


def split(prefix: int, branches: Sequence[int], budget: int) -> list[slice]:
    """Parts of a group whose rows hold at most ``budget`` tokens, or one branch: lengths in, slices
    of the branches out."""
    bounds, row = [0], prefix
    for i, length in enumerate(branches):
        if i > bounds[-1] and row + length > budget:
            bounds.append(i)
            row = prefix
        row += length
    return [slice(a, b) for a, b in pairwise([*bounds, len(branches)])]


def row_length(prefix: Prefix, branches: Sequence[Branch]) -> int:
    """Tokens of a row."""
    return len(prefix.tokens) + sum(len(branch.tokens) for branch in branches)


def _visible(owner: Int[Tensor, "R L"], image: Int[Tensor, "R L"]) -> Bool[Tensor, "R 1 L L"]:
    """Causal, and within the own branch or into the prefix, or within an image; padding sees itself
    only."""
    length = owner.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    same = owner[:, :, None] == owner[:, None, :]
    prefix = (owner[:, None, :] == -1) & (owner[:, :, None] != -2)
    own = torch.eye(length, dtype=torch.bool)
    within = (image[:, :, None] == image[:, None, :]) & (image[:, :, None] > 0)
    visible = causal & (same & (owner[:, :, None] != -2) | prefix) | own | within
    return visible[:, None]
