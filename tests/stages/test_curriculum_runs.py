"""GRPO with a curriculum: the same run whatever interrupts, loads or shares it."""

from dataclasses import replace
from pathlib import Path

import pytest
from stage_runs import MakePolicy, grpo_module, logged, train
from test_prefetch import Eager
from test_resume import PowerCut, assert_same_run, cut_power, interrupt_at

from groundrl.data.curriculum import Curriculum, Tally
from groundrl.records import Sample
from groundrl.stages.grpo import GRPOModule
from groundrl.stages.scoring import ScoredRollout
from groundrl.world.graph import SceneSpec
from groundrl.world.questions import sample_question

pytestmark = pytest.mark.slow

STEPS = 7
CURRICULUM = Curriculum(floor=0.05, memory=3.0, delay=3)


def samples() -> list[Sample]:
    """Of two kinds, one three times as often, so that its pass rate of 0 is more certain."""
    kinds = ("count", "count", "count", "side")
    return [sample_question(SceneSpec(seed=5, index=i), [kinds[i % 4], "count"]) for i in range(24)]


def make_module(make_policy: MakePolicy, curriculum: Curriculum = CURRICULUM) -> GRPOModule:
    return grpo_module(make_policy(), steps=STEPS, curriculum=curriculum)


def run(module: GRPOModule, folder: Path, num_workers: int = 0) -> None:
    train(module, folder, steps=STEPS, samples=samples(), num_workers=num_workers)


def test_a_run_goes_on_with_the_questions_of_one_that_was_never_interrupted(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    straight = make_module(make_policy)
    run(straight, tmp_path / "straight")
    passed_over = logged(tmp_path / "straight")["curriculum/passed_over_frac"]
    assert list(passed_over) == [*range(1, STEPS + 1)]
    assert [passed_over[step] for step in (1, 2, 3)] == [0.0] * 3  # before anything is known
    assert any(passed_over[step] > 0 for step in (5, 6, 7))
    crashed = make_module(make_policy)
    interrupt_at(crashed, 5, cut_power)
    with pytest.raises(PowerCut):
        run(crashed, tmp_path / "resumed", num_workers=1)
    resumed = make_module(make_policy)
    run(resumed, tmp_path / "resumed")
    assert_same_run(straight, tmp_path / "straight", resumed, tmp_path / "resumed")


def test_rollouts_that_are_sampled_early_ask_the_same_questions(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    places = []
    for name, engine in (("native", None), ("eager", Eager())):
        module = grpo_module(make_policy(), steps=STEPS, curriculum=CURRICULUM, engine=engine)
        run(module, tmp_path / name)
        assert module.kind_order is not None
        places.append([module.kind_order.starts[step] for step in range(STEPS)])
    assert places[0] == places[1]  # no answer is right, whichever weights sample it


def test_pass_rates_are_logged_of_the_kinds_that_a_step_asks(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    module = make_module(make_policy, Curriculum())
    run(module, tmp_path)
    curves = logged(tmp_path)
    rates = {name: curve for name, curve in curves.items() if name.startswith("pass_rate/")}
    assert rates.keys() == {"pass_rate/count", "pass_rate/side"}
    assert len(rates["pass_rate/side"]) <= len(rates["pass_rate/count"]) <= STEPS
    assert {rate for curve in rates.values() for rate in curve.values()} == {0.0}
    assert module.kind_order is None
    assert "curriculum/passed_over_frac" not in curves


def test_tallies_count_right_completions_by_kind(make_policy: MakePolicy) -> None:
    module = make_module(make_policy)
    sample, other, boxes = (
        samples()[0],
        samples()[3],
        sample_question(SceneSpec(seed=5, index=0), ["locate"]),
    )
    policy = module.policy
    rollout = module.sampler(policy, policy.encode.examples([sample, other, boxes]), step=0)
    first, *_ = rollout.groups
    told = f"<think></think> <answer>{sample.answers[0]}</answer>"
    completions = tuple(
        replace(one, text=told) if n < 3 else one for n, one in enumerate(first.completions)
    )
    groups = (replace(first, completions=completions), *rollout.groups[1:])
    scored = ScoredRollout(rollout=rollout, attempts=module.reward(groups))
    assert scored.tallies() == {
        sample.kind: Tally(right=3.0, count=4.0),
        other.kind: Tally(right=0.0, count=4.0),
    }
