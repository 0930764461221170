"""One row per group: ``[prefix | branch 1 | branch 2 | ...]``.

Every branch attends to the prefix and to itself, and its rotary positions continue from the end of
the prefix. So each branch gets exactly the log-probabilities of the row ``[prefix | branch]``,
while the prefix (image and question) is computed once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from groundrl.policy.shared_prefix.attention import AttentionMasks, SdpaPrefixAttention

LENGTH_STEP = 32
"""Rows are padded to a multiple of this many tokens: each new shape costs a new set of kernels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The part of a row that its branches share: a prompt."""

    tokens: Int[Tensor, "prefix"]
    positions: Int[Tensor, "axes prefix"]
    """Rotary positions: one axis, or time, height and width (M-RoPE)."""
    images: Int[Tensor, "prefix"]
    """k on the k-th run of tokens that stand for pixels, 0 on text."""

    def behind(self, tokens: Sequence[int]) -> "Prefix":
        """The prefix with the token ids ``tokens`` put before it."""
        count = len(tokens)
        before = torch.arange(count).expand(len(self.positions), -1)
        return Prefix(
            tokens=torch.cat([torch.tensor(tokens, dtype=torch.long), self.tokens]),
            positions=torch.cat([before, self.positions + count], dim=1),
            images=F.pad(self.images, (count, 0)),
        )

    def followed_by(self, text: Sequence[int]) -> "Prefix":
        """The prefix with the token ids ``text`` appended."""
        after = int(self.positions.max()) + 1 + torch.arange(len(text))
        return Prefix(
            tokens=torch.cat([self.tokens, torch.tensor(text)]),
            positions=torch.cat([self.positions, after.expand(len(self.positions), -1)], dim=1),
            images=F.pad(self.images, (0, len(text))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One continuation of the prefix: a completion, or given tokens and a completion."""

    tokens: Sequence[int]
    context: int = 0
    """Number of leading tokens that are given, not scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Rows of one forward pass, and where to read each branch's log-probabilities."""

    input_ids: Int[Tensor, "R L"]
    position_ids: Int[Tensor, "axes R L"]
    attention: SdpaPrefixAttention
    owner: Int[Tensor, "R L"]
    """-1 for the prefix, k for the k-th branch of the row, -2 for padding."""
    images: Int[Tensor, "R L"]
    """k on tokens that stand for the row's k-th image, 0 elsewhere."""
    source: Int[Tensor, "B T"]
    """Flat index into ``R * L`` of the hidden state that predicts each branch token."""
    targets: Int[Tensor, "B T"]
    scored: Bool[Tensor, "B T"]
    """False on padding and on the given tokens of a branch."""


def lay_out(
    prefixes: Sequence[Prefix],
    branches: Sequence[Sequence[Branch]],
    pad: int,
    window: int | None = None,
    images_see_themselves: bool = False,
) -> Layout:
    """Rows of R groups, padded with the token ``pad``; B counts the branches of all rows in order.

    In sliding-window layers a token attends to ``window`` positions, its own included. With
    ``images_see_themselves`` an image token also attends to all tokens of its own image.
    """
    length = padded_length(max(map(row_length, prefixes, branches)))
    rows = [
        _row(prefix, group, length, pad) for prefix, group in zip(prefixes, branches, strict=True)
    ]
    tokens, positions, owner, images = map(torch.stack, zip(*rows, strict=True))
    flat = [branch for group in branches for branch in group]
    counts = torch.tensor([len(group) for group in branches])
    row = torch.arange(len(prefixes)).repeat_interleave(counts)
    size = torch.tensor([len(branch.tokens) for branch in flat])
    before = size.cumsum(0) - size
    prefix = torch.tensor([len(prefix.tokens) for prefix in prefixes])
    start = prefix[row] + before - before[(counts.cumsum(0) - counts)[row]]
    step = torch.arange(int(size.max()))
    inside = step < size[:, None]
    branch_index = ((row * length + start)[:, None] + step) * inside
    source = torch.where(step == 0, (row * length + prefix[row])[:, None], branch_index) - 1
    longest_prefix = int(prefix.max())
    # Among the outputs of attention, those of prefixes come before those of branches.
    output_index = torch.arange(length).clamp(max=longest_prefix - 1).repeat(len(prefixes), 1)
    output_index += longest_prefix * torch.arange(len(prefixes))[:, None]
    order = torch.arange(inside.numel()).view_as(inside) + len(prefixes) * longest_prefix
    output_index.view(-1)[branch_index[inside]] = order[inside]
    prefix_index = row[:, None] * length + torch.arange(longest_prefix)
    full, sliding = attention_masks(prefixes, counts, len(step), window, images_see_themselves)
    return Layout(
        input_ids=tokens,
        position_ids=positions.transpose(0, 1),
        attention=SdpaPrefixAttention(
            branch_index=branch_index,
            key_index=torch.cat([prefix_index, branch_index], dim=1),
            output_index=output_index,
            longest_prefix=longest_prefix,
            full=full,
            sliding=sliding,
        ),
        owner=owner,
        images=images,
        source=source * inside,
        targets=tokens.view(-1)[branch_index].where(inside, pad),
        scored=inside & (step >= torch.tensor([branch.context for branch in flat])[:, None]),
    )


def _row(
    prefix: Prefix, branches: Sequence[Branch], length: int, pad: int
) -> tuple[Int[Tensor, "L"], Int[Tensor, "axes L"], Int[Tensor, "L"], Int[Tensor, "L"]]:
    """Tokens, positions, owner and images of a row."""
    sizes = [len(branch.tokens) for branch in branches]
    after = int(prefix.positions.max()) + 1
    tokens = [prefix.tokens, *(torch.tensor(branch.tokens) for branch in branches)]
    positions = [(after + torch.arange(size)).expand(len(prefix.positions), -1) for size in sizes]
    owner = [torch.full((size,), i - 1) for i, size in enumerate([len(prefix.tokens), *sizes])]

    def padded(parts: list[Tensor], value: int) -> Tensor:
        x = torch.cat(parts, dim=-1)
        return F.pad(x, (0, length - x.shape[-1]), value=value)

    return (
        padded(tokens, pad),
        padded([prefix.positions, *positions], 0),
        padded(owner, -2),
        padded([prefix.images], 0),
    )


def pack_rows(rows: Sequence[int], budget: int) -> list[list[int]]:
    """Distribute rows over forward passes: ``rows`` are lengths in tokens; the result has one list
    of row indices per pass. Padded as ``lay_out`` does, a pass holds at most ``budget`` tokens; a
    longer row gets a pass of its own."""
    passes: list[list[int]] = []
    for i in sorted(range(len(rows)), key=rows.__getitem__):  # the row added last is the longest
        if passes and (len(passes[-1]) + 1) * padded_length(rows[i]) <= budget:
            passes[-1].append(i)
        else:
            passes.append([i])
    return passes


def split_group(prefix: int, branches: Sequence[int], budget: int) -> list[slice]:
    """Split a group into parts whose padded rows hold at most ``budget`` tokens, or one branch.

    ``prefix`` and ``branches`` are lengths in tokens; the result has one slice of the branches per
    part.
    """
    bounds, row = [0], prefix
    for i, length in enumerate(branches):
        if i > bounds[-1] and padded_length(row + length) > budget:
            bounds.append(i)
            row = prefix
        row += length
    return [slice(a, b) for a, b in pairwise([*bounds, len(branches)])]


def row_length(prefix: Prefix, branches: Sequence[Branch]) -> int:
    """Number of tokens of a row, padding excluded."""
    return len(prefix.tokens) + sum(len(branch.tokens) for branch in branches)


def padded_length(length: int) -> int:
    """Number of tokens of each row in a pass whose longest row has ``length`` tokens."""
    return math.ceil(length / LENGTH_STEP) * LENGTH_STEP


def attention_masks(
    prefixes: Sequence[Prefix],
    branches: Int[Tensor, "R"],
    longest: int,
    window: int | None,
    images_see_themselves: bool,
) -> tuple[AttentionMasks, AttentionMasks | None]:
    """Masks of layers without and with a window. ``branches``: their number per row; ``longest``:
    tokens of the longest branch."""
    length = torch.tensor([len(prefix.tokens) for prefix in prefixes])
    prefix_place = torch.arange(int(length.max()))
    branch_place = torch.arange(longest)
    row = torch.arange(len(prefixes)).repeat_interleave(branches)
    inside = (prefix_place < length[row, None])[:, None].expand(-1, longest, -1)
    causal = (branch_place <= branch_place[:, None]).expand(len(row), -1, -1)
    branch = torch.cat([inside, causal], dim=2)[:, None]
    prefix = (prefix_place <= prefix_place[:, None])[None, None]
    if images_see_themselves:
        image = pad_sequence([prefix.images for prefix in prefixes], batch_first=True)
        prefix = prefix | ((image[:, :, None] == image[:, None]) & (image[:, :, None] > 0))[:, None]
    full = AttentionMasks(prefix=prefix if images_see_themselves else None, branch=branch)
    if window is None:
        return full, None
    near_prefix = prefix_place[:, None] - prefix_place < window
    # Token t of a branch is token ``length + t`` of the sequence [prefix | branch].
    query = length[row, None, None] + branch_place[:, None]
    in_branch = query - length[row, None, None] - branch_place
    near = torch.cat([query - prefix_place < window, in_branch < window], dim=2)
    return full, AttentionMasks(prefix=prefix & near_prefix, branch=branch & near[:, None])
