"""Kinds of question are asked by how often the policy answers them right."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import chain, count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.config_node import ConfigNode
from groundrl.data.curriculum import Curriculum, KindOrder, KindSampler, PassRates, Tally
from groundrl.data.order import StepSampler
from groundrl.errors import UserError

KINDS = ("count", "color", "side")
SHOWN = Curriculum(floor=0.1, memory=5.0, delay=2)

tallies = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(
    lambda one: Tally(right=float(one[0]), count=float(sum(one)))
)
steps = st.lists(st.dictionaries(st.sampled_from(KINDS), tallies, max_size=3), max_size=8)


def kind_of(index: int) -> str:
    return KINDS[index % 3]


def right(share: float, count: int = 80) -> Tally:
    return Tally(right=share * count, count=float(count))


class Run:
    """Steps of a run in which each kind has a fixed share of right completions."""

    def __init__(self, shares: Sequence[float], curriculum: Curriculum = SHOWN) -> None:
        self.shares: dict[str, float] = dict(zip(KINDS, shares, strict=True))
        self.rates = PassRates(curriculum.memory, curriculum.delay)
        self.order = KindOrder(curriculum, self.rates)

    def sampler(self, start_step: int = 0, rank: int = 0, world_size: int = 1) -> KindSampler:
        return KindSampler(
            size=300,
            batch_size=12,
            seed=3,
            start_step=start_step,
            rank=rank,
            world_size=world_size,
            kind_of=kind_of,
            order=self.order,
        )

    def answer(self, batch: Sequence[int]) -> None:
        self.rates.add([{k: right(self.shares[k], 8) for k in {kind_of(i) for i in batch}}])

    def batches(self, number: int) -> list[list[int]]:
        found = []
        for batch in islice(self.sampler(self.rates.steps), number):
            found.append(batch)
            self.answer(batch)
        return found


def test_kinds_are_asked_in_proportion_to_p_times_1_minus_p() -> None:
    chances = SHOWN.chances({"count": right(0.5), "color": right(0.9), "side": right(1.0)})
    p = 73 / 82
    assert chances["count"] == 1.0
    assert chances["color"] == pytest.approx(4 * p * (1 - p))
    assert chances["side"] == 0.1  # 4 * 81/82 * 1/82 is less
    assert SHOWN.chances({}) == {}


@given(st.dictionaries(st.text(max_size=3), tallies, min_size=1), st.floats(0.01, 1.0))
def test_the_best_kind_is_always_taken_and_none_less_often_than_the_floor(
    known: dict[str, Tally], floor: float
) -> None:
    chances = Curriculum(floor=floor).chances(known)
    assert chances.keys() == known.keys()
    assert max(chances.values()) == 1.0
    assert min(chances.values()) >= floor


@given(steps)
def test_old_completions_fade(shown: list[dict[str, Tally]]) -> None:
    rates = PassRates(memory=4.0, kept=2)
    for step in shown:
        rates.add([step])
    for kind in {kind for step in shown for kind in step}:
        weights = [0.75 ** (len(shown) - 1 - n) for n in range(len(shown))]
        found = rates.after(len(shown))[kind]
        for name in ("right", "count"):
            values = [getattr(step.get(kind, Tally()), name) for step in shown]
            expected = sum(w * value for w, value in zip(weights, values, strict=True))
            assert getattr(found, name) == pytest.approx(expected)


@given(st.lists(st.lists(st.dictionaries(st.sampled_from(KINDS), tallies), max_size=4), max_size=6))
def test_processes_know_what_one_alone_would(shares: list[list[dict[str, Tally]]]) -> None:
    several, alone = PassRates(memory=3.0, kept=1), PassRates(memory=3.0, kept=1)
    for step in shares:
        several.add(step)
        whole: dict[str, Tally] = {}
        for share in step:
            whole |= {kind: whole.get(kind, Tally()) + one for kind, one in share.items()}
        alone.add([whole])
    assert several.after(len(shares)) == alone.after(len(shares))  # to the last bit


def test_a_rate_is_the_share_of_the_completions_that_are_remembered() -> None:
    rates = PassRates(memory=2.0, kept=0)
    rates.add([{"count": Tally(right=0.0, count=8.0), "side": Tally(right=8.0, count=8.0)}])
    rates.add([{"count": Tally(right=6.0, count=8.0)}])
    assert rates.rate("count") == 6 / 12
    forgetful = PassRates(memory=1.0, kept=0)
    forgetful.add([{"side": Tally(right=8.0, count=8.0)}])
    forgetful.add([{"count": Tally(right=2.0, count=8.0)}])
    assert forgetful.rate("count") == 0.25


def test_more_is_asked_of_kinds_that_are_right_sometimes() -> None:
    run = Run((0.5, 1.0, 0.0))
    asked = Counter(kind_of(index) for index in chain.from_iterable(run.batches(60)[20:]))
    assert asked["count"] / 480 > 0.75
    assert asked["color"] > 10
    assert asked["side"] > 10
    assert run.order.passed_over(12) == 1 - 12 / (run.order.starts[60] - run.order.starts[59]) > 0
    assert run.order.starts[60] - run.order.starts[20] > 2 * 40 * 12


def test_kinds_are_drawn_with_their_chances() -> None:
    run, asked = Run((0.5, 0.9, 1.0)), Counter[str]()
    shown = {kind: right(share) for kind, share in run.shares.items()}
    for batch in islice(run.sampler(), 200):
        asked.update(map(kind_of, batch))
        run.rates.add([shown])
    chances = SHOWN.chances(run.rates.after(200))
    assert chances["side"] == 0.1
    for kind in ("color", "side"):
        assert asked[kind] / asked["count"] == pytest.approx(chances[kind], abs=0.05)


def test_a_kind_that_is_left_out_is_forgotten_and_tried_again() -> None:
    rates = PassRates(memory=5.0, kept=0)
    rates.add([{"count": right(0.5), "side": right(0.0)}])
    assert SHOWN.chances(rates.after(1))["side"] == 0.1
    for _ in range(30):
        rates.add([{"count": right(0.5)}])
    assert SHOWN.chances(rates.after(31))["side"] > 0.9


@pytest.mark.parametrize("shares", [(0.3, 0.3, 0.3), (0.0, 0.0, 0.0)])
def test_kinds_that_are_alike_come_in_their_order(shares: tuple[float, float, float]) -> None:
    plain = StepSampler(size=300, batch_size=12, seed=3)
    run = Run(shares)
    assert run.batches(8) == list(islice(plain, 8))
    assert run.order.passed_over(12) == 0.0


def test_a_single_kind_comes_in_its_order() -> None:
    run = Run((1.0, 1.0, 1.0))
    found = []
    for batch in islice(
        KindSampler(size=40, batch_size=6, seed=0, kind_of=lambda _: "count", order=run.order), 9
    ):
        found.append(batch)
        run.rates.add([{"count": right(1.0)}])
    assert found == list(islice(StepSampler(size=40, batch_size=6, seed=0), 9))


@pytest.mark.parametrize("stop", [1, 2, 7, 12])
def test_a_resumed_run_asks_what_an_undisturbed_one_does(stop: int) -> None:
    whole = Run((0.5, 0.9, 0.0))
    batches = whole.batches(20)
    assert any(whole.order.starts[n + 1] - whole.order.starts[n] > 12 for n in range(stop, 20))
    first = Run((0.5, 0.9, 0.0))
    first.batches(stop)
    next(islice(first.sampler(stop), 1, None))  # steps that were loaded and never taken
    states = json.loads(json.dumps([first.rates.state()["steps"], first.order.state()]))
    again = Run((0.5, 0.9, 0.0))
    again.rates.restore(first.rates.state())
    again.order.restore(states[1])
    assert again.rates.steps == states[0] == stop
    assert again.batches(20 - stop) == batches[stop:]


def test_the_ranks_slices_make_up_the_step() -> None:
    whole, runs = Run((0.5, 1.0, 0.2)), [Run((0.5, 1.0, 0.2)) for _ in range(3)]
    samplers = [iter(run.sampler(rank=n, world_size=3)) for n, run in enumerate(runs)]
    for batch in whole.batches(10):
        slices = [next(sampler) for sampler in samplers]
        assert list(chain.from_iterable(zip(*slices, strict=True))) == batch
        for run in runs:
            run.answer(batch)


@pytest.mark.parametrize("ahead", [1, 2, 3])
def test_steps_that_are_loaded_early_are_the_same(ahead: int) -> None:
    """A loader asks for later steps before an earlier one is done."""
    straight, early = Run((0.5, 1.0, 0.0)), Run((0.5, 1.0, 0.0))
    batches = straight.batches(15)
    sampler = iter(early.sampler())
    loaded = [next(sampler) for _ in range(ahead)]
    for step in count():
        early.answer(loaded[step])
        if len(loaded) == 15:
            break
        loaded.append(next(sampler))
    assert loaded == batches


def test_steps_that_are_loaded_too_early_are_a_user_error() -> None:
    sampler = iter(Run((0.5, 1.0, 0.0)).sampler())
    for _ in range(3):
        next(sampler)
    with pytest.raises(UserError, match=r"step 4 is loaded after 0 steps, .*delay=2"):
        next(sampler)


def test_options_that_cannot_be_are_told() -> None:
    def found(workers: int = 0, prefetch: int | None = None, **options: float) -> list[str]:
        tree = {"data": {"num_workers": workers}, "rollout": {"prefetch": prefetch}}
        path = "stage.grpo.module.curriculum"
        return list(Curriculum.config_problems(ConfigNode(path=path, options=options, tree=tree)))

    assert found(floor=1.0, delay=1, workers=9) == found(floor=0.1, delay=3, workers=2) == []
    (problem,) = found(floor=0.0, delay=4)
    assert "type stage.grpo.module.curriculum.floor=0.1" in problem
    (problem,) = found(floor=0.1, delay=3, workers=2, prefetch=1)
    assert problem.endswith("type stage.grpo.module.curriculum.delay=4")
    (problem,) = found(memory=0.5)
    assert "memory=0.5 is too small" in problem
