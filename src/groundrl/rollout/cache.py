"""Keys and values of what the native engine has computed."""

import math
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from groundrl.policy.attention import NO_MASK
from groundrl.policy.policy import NEVER, Policy

ROOM_STEP = 64
"""Tokens of room that are added at a time."""


class RoomyLayer(DynamicLayer):
    """A layer's cache with room for the next tokens, which are written in place.

    ``DynamicLayer`` copies all keys and values for every token: a third of the time of a rollout.
    """

    def __init__(self) -> None:
        super().__init__()
        self._room: tuple[Tensor, Tensor] | None = None
        """What ``keys`` and ``values`` are the beginning of."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Append [B, heads, new, width] and return all keys and values."""
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if self._room is None or end > self._room[0].shape[-2]:
            size = (*key_states.shape[:2], math.ceil(end / ROOM_STEP) * ROOM_STEP)
            room = (
                key_states.new_empty(*size, key_states.shape[-1]),
                value_states.new_empty(*size, value_states.shape[-1]),
            )
            if start:
                assert self.keys is not None
                assert self.values is not None
                room[0][..., :start, :] = self.keys
                room[1][..., :start, :] = self.values
            self._room, self.is_initialized = room, True
        self._room[0][..., start:end, :] = key_states
        self._room[1][..., start:end, :] = value_states
        self.keys = self._room[0][..., :end, :]
        self.values = self._room[1][..., :end, :]
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Take these rows, some of them several times; they get room with their next token."""
        super().reorder_cache(cast(torch.LongTensor, beam_idx))
        self._room = None


class SharedPast:
    """Each prompt's keys and values once, whatever the number of its rows (cf. arXiv 2402.05099).

    At first there are G rows for each of P prompts. Decoding reads all keys and values for every
    token; those of a prompt are read once for all its rows, and never copied.
    """

    def __init__(
        self, prompts: Cache, mask: Int[Tensor, "P L"], group_size: int, window: int | None
    ) -> None:
        """``mask`` is 0 on the padding, which stands on the left."""
        self._prompts = [filled(layer) for layer in prompts.layers]
        self._bias = torch.where(mask.bool(), 0.0, NEVER)[:, None, None]
        self._window = window
        self._own = Cache(layer_class_to_replicate=RoomyLayer)
        self._group = torch.arange(len(mask), device=mask.device).repeat_interleave(group_size)
        self._arrange()

    def keep(self, rows: Int[Tensor, "B"]) -> None:
        """Drop the other rows, and prompts that have none left."""
        take_rows(self._own, rows)
        prompts, self._group = self._group[rows].unique(return_inverse=True)
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

    def inputs(self) -> dict[str, object]:
        """Keys and values of the completions grow in the cache; ``attend`` knows the prompts'."""
        return {"past_key_values": self._own, "attention_mask": NO_MASK, "groups": self}

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
        self.keep(torch.arange(len(mask), device=mask.device).repeat_interleave(group_size))

    def keep(self, rows: Int[Tensor, "B"]) -> None:
        """Drop the other rows; one may be named several times."""
        take_rows(self._cache, rows)
        self._mask = self._mask[rows]

    def inputs(self) -> dict[str, object]:
        """The next token is seen, too."""
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)
        return {"past_key_values": self._cache, "attention_mask": self._mask}


Past = SharedPast | CopiedPast


def past_of(policy: Policy, prompts: Cache, mask: Int[Tensor, "P L"], group_size: int) -> Past:
    """What ``group_size`` completions of each prompt go on from."""
    if policy.in_groups:
        return SharedPast(prompts, mask, group_size, policy.spec.window)
    return CopiedPast(prompts, mask, group_size)


def empty_cache(policy: Policy) -> Cache:
    """A cache that the policy's model fills with prompts."""
    if policy.in_groups:  # layers with a window keep everything, too
        return Cache(layer_class_to_replicate=DynamicLayer)
    return DynamicCache(config=policy.vlm.config.get_text_config())


def take_rows(cache: Cache, rows: Int[Tensor, "B"]) -> None:
    """Make ``rows`` the rows of the cache; one may stand there several times, or not at all."""
    cache.reorder_cache(cast(torch.LongTensor, rows))


def filled(layer: object) -> tuple[Tensor, Tensor]:
    """Keys and values of a layer's cache."""
    assert isinstance(layer, DynamicLayer)
    assert layer.keys is not None
    assert layer.values is not None
    return layer.keys.contiguous(), layer.values.contiguous()
