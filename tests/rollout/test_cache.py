"""Caches of the native engine hold what one full copy per completion would hold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from transformers.cache_utils import Cache, DynamicLayer

from groundrl.rollout.cache import SharedKVCache

MAX_TOKENS = 100


def filled_cache(prompts: int, group_size: int) -> SharedKVCache:
    cache = Cache(layer_class_to_replicate=DynamicLayer)
    cache.update(torch.randn(prompts, 2, 3, 4), torch.randn(prompts, 2, 3, 4), 0)
    mask = torch.ones(prompts, 3, dtype=torch.long)
    return SharedKVCache(cache, mask, group_size, max_tokens=MAX_TOKENS, window=None)


def write(cache: SharedKVCache, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    own = cache.inputs()["past_key_values"]
    assert isinstance(own, Cache)
    written = own.update(keys, values, 0)
    cache.extend()
    return written


def test_keys_and_values_of_completions_stay_where_they_were_written() -> None:
    cache, copied = filled_cache(2, 1), DynamicLayer()
    places = set()
    for _ in range(MAX_TOKENS):
        keys, values = torch.randn(2, 2, 2, 1, 4)
        written = write(cache, keys, values)
        for got, expected in zip(written, copied.update(keys, values), strict=True):
            assert torch.equal(got, expected)
        places.add(tuple(got.data_ptr() for got in written))
    assert len(places) == 1


@pytest.mark.slow
@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    group_size=st.integers(1, 4),
    window=st.none() | st.integers(1, 9),
    steps=st.lists(st.sets(st.integers(0, 15), min_size=1), min_size=1, max_size=5),
)
def test_rows_see_their_prompt_and_themselves_as_if_each_had_its_own_copy(
    lengths: list[int], group_size: int, window: int | None, steps: list[set[int]]
) -> None:
    noise = torch.Generator().manual_seed(0)
    prompts, longest, heads, kv_heads, width = len(lengths), max(lengths), 4, 2, 8
    prefilled = Cache(layer_class_to_replicate=DynamicLayer)
    keys, values = torch.randn(2, prompts, kv_heads, longest, width, generator=noise)
    prefilled.update(keys, values, 0)
    mask = (torch.arange(longest) >= longest - torch.tensor(lengths)[:, None]).long()
    cache = SharedKVCache(prefilled, mask, group_size, max_tokens=len(steps), window=window)
    rows = torch.arange(prompts).repeat_interleave(group_size)
    keys, values, visible = keys[rows], values[rows], mask[rows].bool()
    for going in steps:
        kept = torch.tensor(sorted({row % len(visible) for row in going}))
        cache.select_rows(kept)
        keys, values, visible = keys[kept], values[kept], visible[kept]
        query = torch.randn(len(kept), heads, 1, width, generator=noise)
        key, value = torch.randn(2, len(kept), kv_heads, 1, width, generator=noise)
        keys, values = torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)
        visible = torch.cat([visible, torch.ones(len(kept), 1, dtype=torch.bool)], dim=1)
        written = write(cache, key, value)
        got = cache.attend(0, query, *written, scaling=0.3, sliding=bool(window))
        near = torch.arange(visible.shape[1]) >= visible.shape[1] - (window or visible.shape[1])
        expected = F.scaled_dot_product_attention(
            query, keys, values, (visible & near)[:, None, None], scale=0.3, enable_gqa=True
        )
        torch.testing.assert_close(got, expected.transpose(1, 2))
