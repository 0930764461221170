"""The key-value cache of the native engine."""

import math

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

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

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat every row; the copies get room with their next token."""
        super().batch_repeat_interleave(repeats)
        self._room = None

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows; they get room with their next token."""
        super().batch_select_indices(indices)
        self._room = None


def roomy_cache() -> Cache:
    """An empty cache with as many layers as a model will fill."""
    return Cache(layer_class_to_replicate=RoomyLayer)
