"""The cache with room holds what the cache of transformers holds."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.cache_utils import DynamicLayer

from groundrl.rollout.cache import ROOM_STEP, RoomyLayer

STEPS = st.lists(
    st.sampled_from(["one token", "many tokens", "repeat", "select"]), min_size=1, max_size=12
)


@given(steps=STEPS)
def test_a_layer_with_room_equals_one_that_copies(steps: list[str]) -> None:
    ours, theirs = RoomyLayer(), DynamicLayer()
    rows, noise = 3, torch.Generator().manual_seed(0)
    for step in ["one token", *steps, "one token"]:
        if step in ("repeat", "select"):
            kept = (
                torch.arange(rows).repeat_interleave(2)
                if step == "repeat"
                else torch.arange(0, rows, 2)
            )
            rows = len(kept)
            ours.reorder_cache(kept)
            theirs.reorder_cache(kept)
        else:
            count = 1 if step == "one token" else ROOM_STEP - 3
            keys, values = torch.randn(2, rows, 2, count, 4, generator=noise)
            for got, expected in zip(
                ours.update(keys, values), theirs.update(keys, values), strict=True
            ):
                assert torch.equal(got, expected)
        assert ours.get_seq_length() == theirs.get_seq_length()


def test_most_tokens_are_written_without_moving_those_before_them() -> None:
    layer = RoomyLayer()
    places = {
        layer.update(torch.randn(2, 2, 1, 4), torch.randn(2, 2, 1, 4))[0].data_ptr()
        for _ in range(2 * ROOM_STEP)
    }
    assert len(places) == 2
