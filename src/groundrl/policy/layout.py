"""One row per group: ``[prefix | branch 1 | branch 2 | ...]``.

Every branch attends to the prefix and to itself, and its rotary positions go on from the end of
the prefix, so each branch gets exactly the log-probabilities of the row ``[prefix | branch]``
while the prefix (image and question) is computed once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

LENGTH_STEP = 32
"""Rows are padded to a multiple of this: kernels are prepared, and kept, for every new shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The shared beginning of a row."""

    tokens: Int[Tensor, "prefix"]
    positions: Int[Tensor, "3 prefix"]
    """Rotary positions of time, height and width (M-RoPE)."""


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
    position_ids: Int[Tensor, "3 R L"]
    attention_mask: Bool[Tensor, "R 1 L L"]
    """True where the row's position i (third axis) sees position j (fourth)."""
    source: Int[Tensor, "B T"]
    """Flat index into ``R * L`` of the hidden state that predicts each branch token."""
    targets: Int[Tensor, "B T"]
    scored: Bool[Tensor, "B T"]
    """False on padding and on the context of a branch."""


def lay_out(prefixes: Sequence[Prefix], branches: Sequence[Sequence[Branch]], pad: int) -> Layout:
    """Rows for R groups; B counts the branches of all rows in order."""
    rows, longest_row = len(prefixes), max(map(row_length, prefixes, branches))
    length = math.ceil(longest_row / LENGTH_STEP) * LENGTH_STEP
    flat = [branch for group in branches for branch in group]
    longest = max(len(branch.tokens) for branch in flat)
    input_ids = torch.full((rows, length), pad)
    position_ids = torch.zeros((3, rows, length), dtype=torch.long)
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
    return Layout(
        input_ids=input_ids,
        position_ids=position_ids,
        attention_mask=_visible(owner),
        source=source,
        targets=targets,
        scored=scored,
    )


def row_length(prefix: Prefix, branches: Sequence[Branch]) -> int:
    """Tokens of a row."""
    return len(prefix.tokens) + sum(len(branch.tokens) for branch in branches)


def _visible(owner: Int[Tensor, "R L"]) -> Bool[Tensor, "R 1 L L"]:
    """Causal, and within the own branch or into the prefix; padding sees itself only."""
    length = owner.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    same = owner[:, :, None] == owner[:, None, :]
    prefix = (owner[:, None, :] == -1) & (owner[:, :, None] != -2)
    own = torch.eye(length, dtype=torch.bool)
    visible = causal & (same & (owner[:, :, None] != -2) | prefix) | own
    return visible[:, None]
