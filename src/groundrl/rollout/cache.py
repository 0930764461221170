"""The key-value cache of the native engine."""

import math
from typing import cast

import torch
from jaxtyping import Int
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from groundrl.policy.policy import Policy

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


def take_rows(cache: Cache, rows: Int[Tensor, "B"]) -> None:
    """Make ``rows`` the rows of the cache; one may stand there several times, or not at all."""
    cache.reorder_cache(cast(torch.LongTensor, rows))


def empty_cache(policy: Policy) -> Cache:
    """A cache that the policy's model will fill."""
    if policy.spec.shares_prefixes:
        return Cache(layer_class_to_replicate=RoomyLayer)
    return DynamicCache(config=policy.vlm.config.get_text_config())
