"""The order of training samples is a pure function of (seed, step)."""

from itertools import chain, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.data.order import StepSampler
from groundrl.errors import UserError

sizes = st.integers(1, 40)
batch_sizes = st.integers(1, 12)
seeds = st.integers(0, 2**31)


@pytest.mark.slow
@given(sizes, batch_sizes, seeds, st.integers(1, 4))
def test_every_epoch_holds_each_sample_once(
    size: int, batch_size: int, seed: int, epochs: int
) -> None:
    flat = chain.from_iterable(StepSampler(size=size, batch_size=batch_size, seed=seed))
    for _ in range(epochs):
        assert sorted(islice(flat, size)) == list(range(size))


@given(sizes, batch_sizes, seeds, st.integers(0, 30))
def test_starting_at_a_step_gives_exactly_the_tail(
    size: int, batch_size: int, seed: int, start: int
) -> None:
    whole = StepSampler(size=size, batch_size=batch_size, seed=seed)
    tail = StepSampler(size=size, batch_size=batch_size, seed=seed, start_step=start)
    assert list(islice(whole, start, start + 5)) == list(islice(tail, 5))
    assert tail.batch(start) == next(iter(tail))


@given(sizes, st.integers(1, 4), st.integers(1, 4), seeds)
def test_the_ranks_shares_make_up_the_step(
    size: int, share: int, world_size: int, seed: int
) -> None:
    ranks = [
        StepSampler(
            size=size,
            batch_size=share * world_size,
            seed=seed,
            rank=rank,
            world_size=world_size,
        )
        for rank in range(world_size)
    ]
    for step, shares in enumerate(islice(zip(*ranks, strict=True), 4)):
        assert list(chain.from_iterable(zip(*shares, strict=True))) == ranks[0].batch(step)


def test_epochs_and_seeds_differ() -> None:
    first = StepSampler(size=50, batch_size=50, seed=0)
    assert first.batch(0) != first.batch(1)
    assert first.batch(0) != StepSampler(size=50, batch_size=50, seed=1).batch(0)


def test_an_empty_set_and_an_uneven_share_are_user_errors() -> None:
    with pytest.raises(UserError, match="at least 1"):
        StepSampler(size=0, batch_size=4, seed=0)
    with pytest.raises(UserError, match="multiple of 3"):
        StepSampler(size=9, batch_size=4, seed=0, world_size=3)
