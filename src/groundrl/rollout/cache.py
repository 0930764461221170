"""Keys and values of what the native engine has computed."""

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from groundrl.policy.attention import NO_MASK
from groundrl.policy.policy import NEVER, Policy


class OwnLayer(DynamicLayer):
    """What completions have said so far, in tensors with room for what they say next.

    ``DynamicLayer`` copies all keys and values for every token: a third of the time of a rollout.
    """

    def __init__(self, room: tuple[Tensor, Tensor], length: int) -> None:
        """``length``: tokens that stand in ``room`` already."""
        super().__init__()
        self.is_initialized = True
        self._room = room
        self._length = length

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Write [B, heads, new, width] in place and return all keys and values."""
        end = self._length + key_states.shape[-2]
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, self._length : end] = new
        return self._room[0][:, :, :end], self._room[1][:, :, :end]

    def get_seq_length(self) -> int:
        """Tokens before this pass."""
        return self._length


class SharedPast:
    """Each prompt's keys and values once, whatever the number of its rows (cf. arXiv 2402.05099).

    At first there are G rows for each of P prompts. Decoding reads all keys and values for every
    token; those of a prompt are read once for all its rows, and never copied.

    Room for whole completions is taken once. What changes its shape from token to token is the view
    of what is written; the number of rows changes in ``keep`` only, that of prompts there, too.
    """

    def __init__(
        self,
        prompts: Cache,
        mask: Int[Tensor, "P L"],
        group_size: int,
        max_tokens: int,
        window: int | None,
    ) -> None:
        """``mask`` is 0 on the padding, which stands on the left."""
        self._prompts = [keys_and_values(layer) for layer in prompts.layers]
        self._bias = torch.where(mask.bool()[:, None, None], 0.0, NEVER)
        self._window = window
        self._group = torch.arange(len(mask), device=mask.device).repeat_interleave(group_size)
        self._max_tokens = max_tokens
        self._own = [(self._room(key), self._room(value)) for key, value in self._prompts]
        self.length = 0
        """Tokens of each completion so far."""
        self._arrange()

    def keep(self, rows: Int[Tensor, "B"]) -> None:
        """Drop the other rows, and prompts that have none left."""
        prompts, self._group = self._group[rows].unique(return_inverse=True)
        for layer, (key, value) in enumerate(self._own):  # of one at a time there are two
            self._own[layer] = self._kept(key, rows), self._kept(value, rows)
        if len(prompts) < len(self._bias):
            self._prompts = [(key[prompts], value[prompts]) for key, value in self._prompts]
            self._bias = self._bias[prompts]
        self._arrange()

    def _arrange(self) -> None:
        """Rows of one prompt stand side by side in a table of P x W slots."""
        counts = self._group.bincount()
        self._width = int(counts.max())
        number = torch.arange(len(self._group), device=counts.device)
        self._slot = self._group * self._width + number - (counts.cumsum(0) - counts)[self._group]

    def _room(
        self, like: Float[Tensor, "n kv_heads L width"]
    ) -> Float[Tensor, "B kv_heads S width"]:
        """Room for all that the rows may say."""
        # Never full, since nobody reads the last token: that would compile anew.
        return like.new_empty(len(self._group), like.shape[1], self._max_tokens, like.shape[3])

    def _kept(
        self, room: Float[Tensor, "n kv_heads S width"], rows: Int[Tensor, "B"]
    ) -> Float[Tensor, "B kv_heads S width"]:
        """Only what is written is copied."""
        kept = self._room(room)
        kept[:, :, : self.length] = room[rows, :, : self.length]
        return kept

    def inputs(self) -> dict[str, object]:
        """The completions' keys and values are in the cache; ``attend`` knows the prompts'."""
        cache = Cache(layers=[OwnLayer(room, self.length) for room in self._own])
        return {"past_key_values": cache, "attention_mask": NO_MASK, "groups": self}

    def extend(self) -> None:
        """The rows have one token more."""
        self.length += 1

    def attend(
        self,
        layer: int,
        query: Float[Tensor, "B heads 1 width"],
        key: Float[Tensor, "B kv_heads S width"],
        value: Float[Tensor, "B kv_heads S width"],
        scaling: float | None,
        sliding: bool,
    ) -> Float[Tensor, "B 1 heads width"]:
        """One softmax over the prompt of each row and its own completion so far."""
        assert scaling is not None
        past_key, past_value = self._prompts[layer]
        bias = self._bias
        if sliding and self._window:
            own = min(key.shape[2], self._window)
            past = min(past_key.shape[2], self._window - own)
            key, value = key[:, :, -own:], value[:, :, -own:]
            start = past_key.shape[2] - past
            past_key, past_value = past_key[:, :, start:], past_value[:, :, start:]
            bias = bias[..., start:]
        asked = (query[:, :, 0] * scaling).unflatten(1, (key.shape[1], -1))
        behind = (self._by_prompt(asked) @ past_key.mT).float() + bias
        scores = torch.cat([self._by_row(behind), (asked @ key.mT).float()], dim=-1)
        weights = scores.softmax(-1).to(value.dtype).split([past_key.shape[2], key.shape[2]], -1)
        mixed = self._by_row(self._by_prompt(weights[0]) @ past_value) + weights[1] @ value
        return mixed.flatten(1, 2)[:, None]

    def _by_prompt(
        self, x: Float[Tensor, "B kv_heads share n"]
    ) -> Float[Tensor, "P kv_heads W_share n"]:
        table = x.new_zeros(len(self._bias) * self._width, *x.shape[1:])
        table = table.index_copy_(0, self._slot, x).unflatten(0, (-1, self._width))
        return table.transpose(1, 2).flatten(2, 3)

    def _by_row(
        self, x: Float[Tensor, "P kv_heads W_share n"]
    ) -> Float[Tensor, "B kv_heads share n"]:
        table = x.unflatten(2, (self._width, -1)).transpose(1, 2).flatten(0, 1)
        return table.index_select(0, self._slot)


class CopiedPast:
    """For layers with a running state, which every row needs for itself."""

    def __init__(self, prompts: Cache, mask: Int[Tensor, "P L"], group_size: int) -> None:
        """``mask`` is 0 on the padding, which stands on the left."""
        self._cache, self._mask = prompts, mask
        self.length = 0
        """Tokens of each completion so far."""
        self.keep(torch.arange(len(mask), device=mask.device).repeat_interleave(group_size))

    def keep(self, rows: Int[Tensor, "B"]) -> None:
        """Drop the other rows; one may be named several times."""
        select_rows(self._cache, rows)
        self._mask = self._mask[rows]

    def inputs(self) -> dict[str, object]:
        """The next token is seen, too."""
        seen = F.pad(self._mask, (0, 1), value=1)
        return {"past_key_values": self._cache, "attention_mask": seen}

    def extend(self) -> None:
        """The rows have one token more."""
        self.length += 1
        self._mask = F.pad(self._mask, (0, 1), value=1)


Past = SharedPast | CopiedPast


def past_of(
    policy: Policy, prompts: Cache, mask: Int[Tensor, "P L"], group_size: int, max_tokens: int
) -> Past:
    """What ``group_size`` completions of each prompt go on from."""
    if policy.in_groups:
        return SharedPast(prompts, mask, group_size, max_tokens, policy.spec.window)
    return CopiedPast(prompts, mask, group_size)


def empty_cache(policy: Policy) -> Cache:
    """A cache that the policy's model fills with prompts."""
    if policy.in_groups:  # layers with a window keep everything, too
        return Cache(layer_class_to_replicate=DynamicLayer)
    return DynamicCache(config=policy.vlm.config.get_text_config())


def select_rows(cache: Cache, rows: Int[Tensor, "B"]) -> None:
    """Make ``rows`` the rows of the cache; one may stand there several times, or not at all."""
    cache.reorder_cache(cast(torch.LongTensor, rows))


def keys_and_values(layer: object) -> tuple[Tensor, Tensor]:
    """Keys and values of a layer's cache."""
    assert isinstance(layer, DynamicLayer)
    assert layer.keys is not None
    assert layer.values is not None
    return layer.keys.contiguous(), layer.values.contiguous()
