"""The order of training samples is a pure function of (seed, step)."""

from collections.abc import Iterator
from itertools import chain, groupby, islice
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.data.datasets import SampleList
from groundrl.data.module import GroundingDataModule
from groundrl.data.order import StepSampler
from groundrl.errors import UserError
from groundrl.records import ImageFile, Provenance, Sample

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


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), seeds, batch_sizes)
def test_members_of_a_group_follow_each_other_in_their_order(
    members: list[int], seed: int, batch_size: int
) -> None:
    numbers = {group: number for number, group in enumerate(dict.fromkeys(members))}
    groups = tuple(numbers[group] for group in members)
    size = len(groups)
    steps = StepSampler(size=size, batch_size=batch_size, seed=seed, groups=groups)
    epoch = list(islice(chain.from_iterable(steps), size))
    assert sorted(epoch) == list(range(size))
    runs = [(group, list(run)) for group, run in groupby(epoch, key=groups.__getitem__)]
    assert len(runs) == len(set(groups))
    assert all(run == sorted(run) for _, run in runs)


def test_groups_come_in_another_order_in_each_epoch() -> None:
    steps = StepSampler(size=40, batch_size=40, seed=0, groups=tuple(i // 2 for i in range(40)))
    assert steps.batch(0) != steps.batch(1)
    assert steps.batch(0) != list(range(40))


def test_questions_about_one_image_follow_each_other_where_asked_for() -> None:
    source = SampleList(
        tuple(
            Sample(
                id=f"{number}:{kind}",
                image=ImageFile(path=Path(f"{number}.jpg"), width=8, height=8),
                question="?",
                provenance=Provenance(dataset="d", split="train"),
            )
            for kind in "abc"
            for number in range(10)
        )
    )
    module = GroundingDataModule(train=source, prompts_per_step=6, seed=0, by_image=True)
    for batch in cast(Iterator[list[Sample]], islice(module.train_dataloader(), 5)):
        first, second = [one.id.partition(":") for one in batch[:3]], batch[3:]
        assert len({image for image, _, _ in first}) == len({one.image.key for one in second}) == 1
        assert [kind for _, _, kind in first] == ["a", "b", "c"]
    plain = GroundingDataModule(train=source, prompts_per_step=6, seed=0)
    assert (
        len(
            {
                sample.image.key
                for sample in cast(list[Sample], next(iter(plain.train_dataloader())))
            }
        )
        > 2
    )
