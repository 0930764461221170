"""Groups are scored while others are still being drawn, and nothing but time depends on it."""

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from stage_runs import LowTokens, MakePolicy, grpo_module, logged, train, weights
from world_questions import world_samples

from groundrl.answers.attempt import Attempt
from groundrl.rollout.base import RolloutEngine, SampledTokens
from groundrl.rollout.native import NativeEngine

pytestmark = pytest.mark.slow

PAUSE = 0.2


@dataclass
class Backwards(RolloutEngine):
    """The native engine's groups, last one first."""

    def generate(
        self, policy: Any, prompts: Any, features: Any, seeds: Any, sampling: Any
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        groups = NativeEngine().generate(policy, prompts, features, seeds, sampling)
        yield from sorted(groups, key=lambda found: -found[0])


@dataclass
class Steady(RolloutEngine):
    """One group every PAUSE, whatever the prompts and weights."""

    given: list[int] = field(default_factory=list)
    closed: bool = False

    def generate(
        self, policy: Any, prompts: Any, features: Any, seeds: Any, sampling: Any
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        try:
            for index in range(len(prompts)):
                time.sleep(PAUSE)
                self.given.append(index)
                drawn = [
                    SampledTokens(tokens=(40 + i,), logprobs=(-6.0,), truncated=True)
                    for i in (0, 1)
                ]
                yield index, 2 * drawn
        finally:
            self.closed = True


@dataclass(frozen=True)
class Slow(LowTokens):
    """Takes PAUSE for the four completions of a group."""

    def __call__(self, attempt: Attempt) -> float:
        time.sleep(PAUSE / 4)
        return super().__call__(attempt)


@dataclass(frozen=True)
class Failing:
    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float:
        raise ZeroDivisionError


def test_the_order_in_which_groups_come_changes_nothing(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    usual = grpo_module(make_policy())
    train(usual, tmp_path / "usual")
    other = grpo_module(make_policy(), engine=Backwards())
    train(other, tmp_path / "other")
    assert logged(tmp_path / "usual") == logged(tmp_path / "other")
    expected, found = weights(usual.policy), weights(other.policy)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_scoring_hides_behind_the_rollout(make_policy: MakePolicy, tmp_path: Path) -> None:
    module = grpo_module(make_policy(), Slow(), engine=Steady())
    train(module, tmp_path, steps=1, prompts_per_step=6)
    # One after the other it would be 12 x PAUSE; only the last group's score is waited for.
    seconds = module.times.seconds
    assert seconds["rollout"] + seconds["reward"] < 10 * PAUSE
    assert PAUSE / 2 < seconds["reward"] < 3 * PAUSE


def test_a_reward_that_fails_ends_the_rollout(make_policy: MakePolicy, tmp_path: Path) -> None:
    engine = Steady()
    module = grpo_module(make_policy(), Failing(), engine=engine)
    with pytest.raises(ZeroDivisionError):
        train(module, tmp_path, prompts_per_step=6)
    assert len(engine.given) < 4
    assert engine.closed


def test_an_engine_that_does_not_look_costs_no_look(make_policy: MakePolicy) -> None:
    module = grpo_module(make_policy(), engine=Steady())
    seen: list[object] = []
    module.policy.vlm.model.visual.register_forward_pre_hook(lambda *_: seen.append(1))
    rollout = module.sampler(module.policy, module.policy.encode.examples(world_samples(3)), step=0)
    assert not seen
    assert len(rollout.features()) == len(rollout.features()) == 3
    assert len(seen) == 1
