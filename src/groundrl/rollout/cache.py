"""KV caches of the native engine."""

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from groundrl.policy.policy import IMPOSSIBLE_LOGIT, Policy
from groundrl.policy.shared_prefix.attention import NO_MASK


class PreallocatedLayer(DynamicLayer):
    """Keys and values of one layer in buffers that are allocated once for whole completions.

    ``DynamicLayer`` copies all keys and values for every token: a third of the time of a rollout.
    """

    def __init__(self, buffers: tuple[Tensor, Tensor], length: int) -> None:
        """``buffers``: keys and values, of which the first ``length`` tokens are filled."""
        super().__init__()
        self.is_initialized = True
        self._buffers = buffers
        self._length = length

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Write the new tokens [B, heads, new, width]; return all keys and values so far."""
        end = self._length + key_states.shape[-2]
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, self._length : end] = new
        return self._buffers[0][:, :, :end], self._buffers[1][:, :, :end]

    def get_seq_length(self) -> int:
        """Number of tokens before this forward pass."""
        return self._length


class SharedKVCache:
    """A KV cache that stores each prompt once for all its completions (cf. arXiv 2402.05099).

    It starts with G rows (completions) for each of P prompts. Each decoding step reads all keys and
    values; those of a prompt are read once for all its rows, and never copied.

    Buffers for whole completions are allocated once. From token to token only the view of their
    filled part changes its shape; the numbers of rows and prompts change in ``select_rows`` only.
    """

    def __init__(
        self,
        prompts: Cache,
        mask: Int[Tensor, "P L"],
        group_size: int,
        max_tokens: int,
        window: int | None,
    ) -> None:
        """``prompts``: the cache after prefill; ``mask``: 0 on its padding, which is on the left;
        ``window``: tokens that sliding-window layers attend to."""
        self._prompts = [keys_and_values(layer) for layer in prompts.layers]
        self._bias = torch.where(mask.bool()[:, None, None], 0.0, IMPOSSIBLE_LOGIT)
        self._window = window
        self._group = torch.arange(len(mask), device=mask.device).repeat_interleave(group_size)
        self._max_tokens = max_tokens
        self._completions = [
            (self._new_buffer(key), self._new_buffer(value)) for key, value in self._prompts
        ]
        self.length = 0
        """Tokens of each completion so far."""
        self._assign_slots()

    def select_rows(self, rows: Int[Tensor, "B"]) -> None:
        """Remove all other rows, and prompts that have no rows left."""
        prompts, self._group = self._group[rows].unique(return_inverse=True)
        # Layer by layer, so that at most one layer is in memory twice.
        for layer, (key, value) in enumerate(self._completions):
            self._completions[layer] = self._selected(key, rows), self._selected(value, rows)
        if len(prompts) < len(self._bias):
            self._prompts = [(key[prompts], value[prompts]) for key, value in self._prompts]
            self._bias = self._bias[prompts]
        self._assign_slots()

    def _assign_slots(self) -> None:
        """Give each row its slot in a table of P x W slots, W for each prompt."""
        counts = self._group.bincount()
        self._width = int(counts.max())
        number = torch.arange(len(self._group), device=counts.device)
        self._slot = self._group * self._width + number - (counts.cumsum(0) - counts)[self._group]

    def _new_buffer(
        self, like: Float[Tensor, "n kv_heads L width"]
    ) -> Float[Tensor, "B kv_heads S width"]:
        """An empty buffer for ``max_tokens`` tokens of each row."""
        # It never becomes full, since the last token is not fed back: a view of the whole buffer
        # would be compiled once more.
        return like.new_empty(len(self._group), like.shape[1], self._max_tokens, like.shape[3])

    def _selected(
        self, buffer: Float[Tensor, "n kv_heads S width"], rows: Int[Tensor, "B"]
    ) -> Float[Tensor, "B kv_heads S width"]:
        """A buffer of ``rows`` only; the unfilled part is not copied."""
        selected = self._new_buffer(buffer)
        selected[:, :, : self.length] = buffer[rows, :, : self.length]
        return selected

    def inputs(self) -> dict[str, object]:
        """Arguments of the model's forward pass: a cache of the completions; ``attend`` adds the
        keys and values of the prompts."""
        cache = Cache(layers=[PreallocatedLayer(x, self.length) for x in self._completions])
        return {
            "past_key_values": cache,
            "attention_mask": NO_MASK,
            "prefix_attention": self,
        }

    def extend(self) -> None:
        """Count the token that the last forward pass has added to each row."""
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
        """Attention output of each row: one softmax over its prompt and its completion so far."""
        assert scaling is not None
        prompt_key, prompt_value = self._prompts[layer]
        bias = self._bias
        if sliding and self._window:
            own = min(key.shape[2], self._window)
            shared = min(prompt_key.shape[2], self._window - own)
            key, value = key[:, :, -own:], value[:, :, -own:]
            start = prompt_key.shape[2] - shared
            prompt_key, prompt_value = prompt_key[:, :, start:], prompt_value[:, :, start:]
            bias = bias[..., start:]
        scaled = (query[:, :, 0] * scaling).unflatten(1, (key.shape[1], -1))
        prompt_scores = (self._by_prompt(scaled) @ prompt_key.mT).float() + bias
        scores = torch.cat([self._by_row(prompt_scores), (scaled @ key.mT).float()], dim=-1)
        weights = scores.softmax(-1).to(value.dtype).split([prompt_key.shape[2], key.shape[2]], -1)
        output = self._by_row(self._by_prompt(weights[0]) @ prompt_value) + weights[1] @ value
        return output.flatten(1, 2)[:, None]

    def _by_prompt(
        self, x: Float[Tensor, "B kv_heads share n"]
    ) -> Float[Tensor, "P kv_heads W_share n"]:
        """Rows gathered by prompt, in their slots."""
        table = x.new_zeros(len(self._bias) * self._width, *x.shape[1:])
        table = table.index_copy_(0, self._slot, x).unflatten(0, (-1, self._width))
        return table.transpose(1, 2).flatten(2, 3)

    def _by_row(
        self, x: Float[Tensor, "P kv_heads W_share n"]
    ) -> Float[Tensor, "B kv_heads share n"]:
        """The inverse of ``_by_prompt``."""
        table = x.unflatten(2, (self._width, -1)).transpose(1, 2).flatten(0, 1)
        return table.index_select(0, self._slot)


class RepeatedKVCache:
    """A KV cache with one copy of the prompt per completion, for models that share no prefixes."""

    def __init__(self, prompts: Cache, mask: Int[Tensor, "P L"], group_size: int) -> None:
        """``prompts``: the cache after prefill; ``mask``: 0 on its padding, on the left."""
        self._cache, self._mask = prompts, mask
        self.length = 0
        """Tokens of each completion so far."""
        self.select_rows(torch.arange(len(mask), device=mask.device).repeat_interleave(group_size))

    def select_rows(self, rows: Int[Tensor, "B"]) -> None:
        """Remove all other rows; a row that is listed several times is copied."""
        select_rows(self._cache, rows)
        self._mask = self._mask[rows]

    def inputs(self) -> dict[str, object]:
        """Arguments of the model's forward pass; its mask includes the new token."""
        mask = F.pad(self._mask, (0, 1), value=1)
        return {"past_key_values": self._cache, "attention_mask": mask}

    def extend(self) -> None:
        """Count the token that the last forward pass has added to each row."""
        self.length += 1
        self._mask = F.pad(self._mask, (0, 1), value=1)


KVCache = SharedKVCache | RepeatedKVCache


def make_kv_cache(
    policy: Policy, prompts: Cache, mask: Int[Tensor, "P L"], group_size: int, max_tokens: int
) -> KVCache:
    """The cache in which ``group_size`` completions of each prompt are decoded."""
    if policy.can_share_prefixes:
        return SharedKVCache(prompts, mask, group_size, max_tokens, policy.spec.window)
    return RepeatedKVCache(prompts, mask, group_size)


def empty_cache(policy: Policy) -> Cache:
    """An empty cache for the prefill of prompts."""
    if policy.can_share_prefixes:  # sliding-window layers store all tokens, too
        return Cache(layer_class_to_replicate=DynamicLayer)
    return DynamicCache(config=policy.vlm.config.get_text_config())


def select_rows(cache: Cache, rows: Int[Tensor, "B"]) -> None:
    """Make ``rows`` the rows of the cache, in place; a row may occur several times."""
    cache.reorder_cache(cast(torch.LongTensor, rows))


def keys_and_values(layer: object) -> tuple[Tensor, Tensor]:
    """Keys and values of a layer's cache."""
    assert isinstance(layer, DynamicLayer)
    assert layer.keys is not None
    assert layer.values is not None
    return layer.keys.contiguous(), layer.values.contiguous()
