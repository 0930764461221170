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
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from groundrl.policy.attention import Groups, Masks

LENGTH_STEP = 32
"""Rows are padded to a multiple of this: kernels are prepared, and kept, for every new shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The shared beginning of a row."""

    tokens: Int[Tensor, "prefix"]
    positions: Int[Tensor, "axes prefix"]
    """Rotary positions: one axis, or time, height and width (M-RoPE)."""
    images: Int[Tensor, "prefix"]
    """k on the k-th run of tokens that stand for pixels, 0 on text."""

    def followed_by(self, text: Sequence[int]) -> "Prefix":
        """With tokens of text behind it."""
        after = int(self.positions.max()) + 1 + torch.arange(len(text))
        return Prefix(
            tokens=torch.cat([self.tokens, torch.tensor(text)]),
            positions=torch.cat([self.positions, after.expand(len(self.positions), -1)], dim=1),
            images=F.pad(self.images, (0, len(text))),
        )


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
    groups: Groups
    owner: Int[Tensor, "R L"]
    """-1 for the prefix, k for the k-th branch of the row, -2 for padding."""
    images: Int[Tensor, "R L"]
    """k on tokens that stand for the row's k-th image, 0 elsewhere."""
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
    places = ((row * length + start)[:, None] + step) * inside
    source = torch.where(step == 0, (row * length + prefix[row])[:, None], places) - 1
    longest_prefix = int(prefix.max())
    # Prefixes stand before branches in what attention gathers.
    restored = torch.arange(length).clamp(max=longest_prefix - 1).repeat(len(prefixes), 1)
    restored += longest_prefix * torch.arange(len(prefixes))[:, None]
    order = torch.arange(inside.numel()).view_as(inside) + len(prefixes) * longest_prefix
    restored.view(-1)[places[inside]] = order[inside]
    seen = row[:, None] * length + torch.arange(longest_prefix)
    full, sliding = masks(prefixes, counts, len(step), window, images_see_themselves)
    return Layout(
        input_ids=tokens,
        position_ids=positions.transpose(0, 1),
        groups=Groups(
            places=places,
            seen=torch.cat([seen, places], dim=1),
            restored=restored,
            longest_prefix=longest_prefix,
            full=full,
            sliding=sliding,
        ),
        owner=owner,
        images=images,
        source=source * inside,
        targets=tokens.view(-1)[places].where(inside, pad),
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

    def filled(parts: list[Tensor], value: int) -> Tensor:
        x = torch.cat(parts, dim=-1)
        return F.pad(x, (0, length - x.shape[-1]), value=value)

    return (
        filled(tokens, pad),
        filled([prefix.positions, *positions], 0),
        filled(owner, -2),
        filled([prefix.images], 0),
    )


def pack_rows(rows: Sequence[int], budget: int) -> list[list[int]]:
    """Indices of ``rows`` by forward pass: padded as ``lay_out`` does, a pass holds at most
    ``budget`` tokens. A longer row has a pass of its own."""
    found: list[list[int]] = []
    for i in sorted(range(len(rows)), key=rows.__getitem__):  # the newest is the longest
        if found and (len(found[-1]) + 1) * padded_length(rows[i]) <= budget:
            found[-1].append(i)
        else:
            found.append([i])
    return found


def split_group(prefix: int, branches: Sequence[int], budget: int) -> list[slice]:
    """Parts of a group whose rows, padded, hold at most ``budget`` tokens, or one branch: lengths
    in, slices of the branches out."""
    bounds, row = [0], prefix
    for i, length in enumerate(branches):
        if i > bounds[-1] and padded_length(row + length) > budget:
            bounds.append(i)
            row = prefix
        row += length
    return [slice(a, b) for a, b in pairwise([*bounds, len(branches)])]


def row_length(prefix: Prefix, branches: Sequence[Branch]) -> int:
    """Tokens of a row."""
    return len(prefix.tokens) + sum(len(branch.tokens) for branch in branches)


def padded_length(length: int) -> int:
    """Tokens of a row in a pass whose longest row has ``length``."""
    return math.ceil(length / LENGTH_STEP) * LENGTH_STEP


def masks(
    prefixes: Sequence[Prefix],
    branches: Int[Tensor, "R"],
    longest: int,
    window: int | None,
    images_see_themselves: bool,
) -> tuple[Masks, Masks | None]:
    """For layers without and with a window; branches as counts, of ``longest`` tokens at most."""
    length = torch.tensor([len(prefix.tokens) for prefix in prefixes])
    place = torch.arange(int(length.max()))
    own = torch.arange(longest)
    row = torch.arange(len(prefixes)).repeat_interleave(branches)
    inside = (place < length[row, None])[:, None].expand(-1, longest, -1)
    causal = (own <= own[:, None]).expand(len(row), -1, -1)
    branch = torch.cat([inside, causal], dim=2)[:, None]
    prefix = (place <= place[:, None])[None, None]
    if images_see_themselves:
        image = pad_sequence([prefix.images for prefix in prefixes], batch_first=True)
        prefix = prefix | ((image[:, :, None] == image[:, None]) & (image[:, :, None] > 0))[:, None]
    full = Masks(prefix=prefix if images_see_themselves else None, branch=branch)
    if window is None:
        return full, None
    near_prefix = place[:, None] - place < window
    # Place t of a branch stands ``length + t`` places from the start.
    at = length[row, None, None] + own[:, None]
    near = torch.cat([at - place < window, at - length[row, None, None] - own < window], dim=2)
    return full, Masks(prefix=prefix & near_prefix, branch=branch & near[:, None])
