"""Training while servers, in processes of their own, are killed and started again."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from stage_runs import MakePolicy, grpo_module, logged, train, weights
from vllm_stub import StubProcess, stub_process
from world_questions import world_samples

from groundrl.errors import UserError
from groundrl.losses import PolicyLoss
from groundrl.policy.policy import Policy
from groundrl.rollout.base import Sampling
from groundrl.rollout.sampler import Sampler
from groundrl.rollout.servers import pool
from groundrl.rollout.servers.engine import VLLMServers
from groundrl.rollout.servers.pool import State
from groundrl.stages.grpo import GRPOModule

pytestmark = pytest.mark.slow

UPLOADS = {"uploads": {}, "sees_folders": False}
"""Of a server on a machine that shares no folder with this one."""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "FIRST_PAUSE", 0.05)


@pytest.fixture
def known(make_policy: MakePolicy) -> dict[str, Any]:
    """What a stub server has to know of the policy."""
    policy = make_policy()
    prompts = [policy.encode(sample) for sample in world_samples(8)]
    texts = [prompt.messages[0]["content"][-1]["text"] for prompt in prompts]
    tokens = [prompt.prefix.tokens.tolist() for prompt in prompts]
    return {
        "tokens": dict(zip(texts, tokens, strict=True)),
        "placeholder": policy.spec.image_token,
    }


def learner(policy: Policy, folder: Path, *urls: str, retries: int = 9) -> GRPOModule:
    policy.vlm.name_or_path = "/models/tiny"
    engine = VLLMServers(urls, str(folder / "served"), concurrency=2, retries=retries)
    return grpo_module(policy, engine=engine, loss=PolicyLoss(importance_cap=2.0))


def curves(folder: Path) -> dict[str, dict[int, float]]:
    """All that was logged, but for what servers failed at."""
    return {k: v for k, v in logged(folder).items() if not k.startswith("rollout/")}


@pytest.fixture
def straight(
    make_policy: MakePolicy, known: dict[str, Any], tmp_path: Path
) -> tuple[dict[str, torch.Tensor], dict[str, dict[int, float]]]:
    """Weights and curves of a training whose server is fine."""
    with stub_process(**known) as server:
        module = learner(make_policy(), tmp_path / "straight", server.url)
        train(module, tmp_path / "straight")
    return weights(module), curves(tmp_path / "straight")


def assert_same(
    straight: tuple[dict[str, torch.Tensor], Any], module: GRPOModule, folder: Path
) -> None:
    found = weights(module)
    assert all(torch.equal(old, found[name]) for name, old in straight[0].items())
    assert curves(folder) == straight[1]


@contextmanager
def started_again(server: StubProcess) -> Iterator[list[float]]:
    """Starts the server again whenever it is dead, as a cluster does; when it did."""
    times: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            if server.is_dead():
                times.append(time.monotonic())
                server.start(dies_at=None)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield times
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("place", [{}, UPLOADS], ids=["a shared folder", "uploads"])
def test_a_server_that_restarts_in_the_middle_of_a_rollout_changes_no_result(
    make_policy: MakePolicy,
    known: dict[str, Any],
    tmp_path: Path,
    straight: Any,
    place: dict[str, Any],
) -> None:
    with stub_process(**known, **place, dies_at=4) as server, started_again(server) as times:
        module = learner(make_policy(), tmp_path / "run", server.url)
        train(module, tmp_path / "run")
    assert len(times) == 1
    assert sum(logged(tmp_path / "run")["rollout/failed"].values()) >= 1
    assert_same(straight, module, tmp_path / "run")


def test_the_others_take_the_share_of_a_server_that_dies_until_it_is_back(
    make_policy: MakePolicy,
    known: dict[str, Any],
    tmp_path: Path,
    straight: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    with stub_process(**known, dies_at=2) as first, stub_process(**known, **UPLOADS) as second:
        module = learner(make_policy(), tmp_path / "run", first.url, second.url, retries=1)
        train(module, tmp_path / "run")
        assert_same(straight, module, tmp_path / "run")
        engine = module.sampler.engine
        assert isinstance(engine, VLLMServers)
        dead, alive = engine.servers.members
        assert (dead.state, alive.state) == (State.AWAY, State.READY)
        told = [message for message in caplog.messages if message.startswith(first.url)]
        assert ["(asked again; " in told[0], "is left out until it is back" in told[1]] == [
            True
        ] * 2
        first.start(dies_at=None)
        engine.servers.look_again()
        wait_until(lambda: dead.state is State.READY)
        second.kill()
        examples = module.policy.encode.examples(world_samples(3))
        Sampler(engine, Sampling(max_tokens=8), group_size=2)(module.policy, examples, step=9)
    assert f"{first.url} is back" in caplog.messages


def wait_until(happens: Any) -> None:
    for _ in range(1000):
        if happens():
            return
        time.sleep(0.02)
    raise AssertionError("it never happens")


def test_a_run_without_servers_ends_in_one_message_and_goes_on_elsewhere(
    make_policy: MakePolicy, known: dict[str, Any], tmp_path: Path, straight: Any
) -> None:
    with stub_process(**known, dies_at=4) as first, stub_process(**known, dies_at=4) as second:
        module = learner(make_policy(), tmp_path / "run", first.url, second.url, retries=1)
        with pytest.raises(UserError, match=r"no vLLM server is left") as failure:
            train(module, tmp_path / "run")
    for said in (first.url, second.url, "vllm serve", "resume=<run directory>", "rollout.urls="):
        assert said in str(failure.value)
    assert (tmp_path / "run/checkpoints/stage/last.ckpt").exists()
    with stub_process(**known, **UPLOADS) as third:
        resumed = learner(make_policy(), tmp_path / "run", third.url)
        train(resumed, tmp_path / "run")
    assert_same(straight, resumed, tmp_path / "run")


def test_a_rollout_that_waits_for_its_server_can_be_stopped(
    make_policy: MakePolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "FIRST_PAUSE", 600.0)
    module = learner(make_policy(), tmp_path, "http://127.0.0.1:9")
    engine = module.sampler.engine
    assert isinstance(engine, VLLMServers)
    examples = module.policy.encode.examples(world_samples(3))
    pending = module.sampler.start(module.policy, examples, step=0)
    wait_until(lambda: engine.servers.members[0].state is State.RESTING)
    start = time.monotonic()
    pending.groups.close()
    assert time.monotonic() - start < 10
