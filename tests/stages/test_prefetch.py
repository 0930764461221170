"""With ``rollout.prefetch=1`` the next step's completions are drawn while this one learns."""

import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from stage_runs import MakePolicy, grpo_module, logged, train, weights
from vllm_stub import stub_server
from world_questions import world_samples

from groundrl.losses import PolicyLoss
from groundrl.policy.policy import Policy
from groundrl.rollout.base import RolloutEngine, SampledTokens
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Rollout
from groundrl.rollout.servers.engine import VLLMServers
from groundrl.running.stopping import Stopped
from groundrl.stages.fitting.batches import Group
from groundrl.stages.grpo import GRPOModule

pytestmark = pytest.mark.slow

WAIT = 20.0
"""Seconds after which something that ought to happen will not."""


@dataclass
class Eager(RolloutEngine):
    """The native engine, which samples all groups when ``generate`` is called."""

    prefetch: int = 1
    happened: list[str] = field(default_factory=list)

    def generate(self, policy: Any, prompts: Any, features: Any, seeds: Any, sampling: Any) -> Any:
        self.happened.append(f"draw {seeds.step}")
        found = list(NativeEngine().generate(policy, prompts, features, seeds, sampling))

        def groups() -> Generator[tuple[int, list[SampledTokens]]]:
            yield from found

        return groups()


class PowerCut(Exception):
    """Nobody catches it."""


def ahead(policy: Policy, engine: Any = None, **options: Any) -> GRPOModule:
    loss = PolicyLoss(importance_cap=2.0)
    return grpo_module(policy, loss=loss, engine=engine or Eager(), **options)


def before_update(module: GRPOModule, act: Callable[[int], None]) -> None:
    """Let ``act`` happen when a step, from 0, begins to learn."""
    update = module.update

    def acting(rollout: Rollout, learning: Mapping[int, Group]) -> dict[str, float]:
        act(module.rollouts_done)
        return update(rollout, learning)

    module.update = acting


def test_each_rollout_begins_before_the_update_of_the_step_before(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    engine = Eager()
    module = ahead(make_policy(), engine)
    before_update(module, lambda step: engine.happened.append(f"update {step}"))
    train(module, tmp_path, steps=3)
    assert engine.happened == [
        *("draw 0", "draw 1", "update 0", "draw 2", "update 1"),
        "update 2",  # and nothing that no step would learn from
    ]
    gaps = logged(tmp_path)["policy/sampler_gap"]
    assert gaps[1] < 1e-5 < gaps[2]  # the first step's rollout is of its own policy


@pytest.mark.parametrize("step", [0, 2])
def test_a_run_that_was_interrupted_ends_where_one_that_was_not_does(
    make_policy: MakePolicy, tmp_path: Path, step: int
) -> None:
    straight = ahead(make_policy())
    train(straight, tmp_path / "straight")
    stopped = ahead(make_policy())

    def cut_power(at: int) -> None:
        if at == step:
            raise PowerCut

    before_update(stopped, cut_power)
    with pytest.raises(PowerCut):
        train(stopped, tmp_path / "resumed")
    engine = Eager()
    resumed = ahead(make_policy(), engine)
    train(resumed, tmp_path / "resumed")
    assert (f"draw {step}" in engine.happened) == (step == 0)  # else the checkpoint has it
    expected, found = weights(straight.policy), weights(resumed.policy)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert logged(tmp_path / "straight") == logged(tmp_path / "resumed")


def asking(policy: Policy, url: str, folder: Path, concurrency: int = 2) -> GRPOModule:
    """A module that asks one server."""
    policy.vlm.name_or_path = "/models/tiny"
    engine = VLLMServers([url], str(folder / "served"), concurrency=concurrency, prefetch=1)
    return ahead(policy, engine)


def prompts_of(policy: Policy) -> dict[str, Any]:
    """Options of a stub server for a policy whose only prompt is one scene."""
    tokens = policy.encode(world_samples(1)[0]).prefix.tokens.tolist()
    return {"tokens": tokens, "placeholder": policy.spec.image_token}


def test_servers_draw_while_the_policy_learns(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy()
    arrived, go = threading.Semaphore(0), threading.Semaphore(2)  # the first step's two may go

    def hold() -> None:
        arrived.release()
        assert go.acquire(timeout=WAIT)

    def learn(step: int) -> None:
        for _ in range((4, 2, 0)[step]):
            assert arrived.acquire(timeout=WAIT)  # the next step's prompts are at the server
        go.release(2)  # and are answered only now
        next(p for p in policy.parameters() if p.requires_grad).data += 1.0

    with stub_server(**prompts_of(policy), hold=staticmethod(hold)) as (url, server):
        module = asking(policy, url, tmp_path)
        before_update(module, learn)
        train(module, tmp_path, steps=3, prompts_per_step=2, samples=world_samples(1))
    versions = [body["model"].rpartition("-")[2] for body in server.requests]
    numbers = [list(dict.fromkeys(versions)).index(name) + 1 for name in versions]
    assert numbers == [1, 1, 1, 1, 2, 2]  # of the step before, but for the first


def test_a_failure_lets_go_of_what_is_under_way(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy()
    arrived, go = threading.Semaphore(0), threading.Semaphore(3)

    def hold() -> None:
        arrived.release()
        assert go.acquire(timeout=WAIT)

    def fail(step: int) -> None:
        for _ in range(4):
            assert arrived.acquire(timeout=WAIT)
        threading.Timer(0.2, go.release).start()
        raise PowerCut

    with stub_server(**prompts_of(policy), hold=staticmethod(hold)) as (url, server):
        module = asking(policy, url, tmp_path, concurrency=1)
        before_update(module, fail)
        with pytest.raises(PowerCut):
            train(module, tmp_path, samples=world_samples(1))
        assert not arrived.acquire(timeout=1.0)  # the second step's other two are never sent
    assert len(server.requests) == 4


def test_ctrl_c_keeps_what_the_servers_have_drawn(make_policy: MakePolicy, tmp_path: Path) -> None:
    def press(step: int) -> None:
        if step == 1:
            os.kill(os.getpid(), signal.SIGINT)

    policy = make_policy()
    with stub_server(**prompts_of(policy)) as (url, server):
        stopped = asking(policy, url, tmp_path)
        before_update(stopped, press)
        with pytest.raises(Stopped, match=r"saved in .*last\.ckpt"):
            train(stopped, tmp_path, samples=world_samples(1))
        assert len(server.requests) == 9
        train(asking(make_policy(), url, tmp_path), tmp_path, samples=world_samples(1))
    assert len(server.requests) == 12
    assert len({body["seed"] for body in server.requests}) == 4  # of the four steps
