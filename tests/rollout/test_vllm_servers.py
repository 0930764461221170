"""Rollouts by vLLM servers, with stub servers that have the HTTP interface only."""

import gc
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vllm_stub import StubServer, busy, cut_off, no_json, slow, stub_server
from world_questions import with_context, world_samples

from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.rollout.base import Sampling
from groundrl.rollout.sampler import Rollout, Sampler
from groundrl.rollout.servers import pool
from groundrl.rollout.servers.engine import VLLMServers

pytestmark = pytest.mark.slow

MakePolicy = Callable[..., Policy]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "FIRST_PAUSE", 0.0)


@pytest.fixture
def make_policy(make_policy: MakePolicy, monkeypatch: pytest.MonkeyPatch) -> MakePolicy:
    """A policy that the stub servers accept."""

    def make(adapter: str | None = "lora") -> Policy:
        policy = make_policy(adapter)
        policy.vlm.name_or_path = "/models/tiny"
        first = policy.encode(world_samples(1)[0]).prefix.tokens.tolist()
        monkeypatch.setattr(StubServer, "tokens", first, raising=False)
        monkeypatch.setattr(StubServer, "placeholder", policy.spec.image_token, raising=False)
        return policy

    return make


def learn(policy: Policy) -> None:
    next(p for p in policy.parameters() if p.requires_grad).data += 1.0


def roll(
    policy: Policy, folder: Path, *urls: str, timeout: float = 60.0, count: int = 8
) -> tuple[Rollout, VLLMServers]:
    engine = VLLMServers(
        urls, adapter_folder=str(folder), concurrency=2, retries=3, timeout=timeout
    )
    sampler = Sampler(engine, Sampling(max_tokens=8), group_size=3)
    return sampler(
        policy, policy.encode.examples(with_context(world_samples(count))), step=0
    ), engine


def test_servers_share_the_prompts_of_a_step(make_policy: MakePolicy, tmp_path: Path) -> None:
    with stub_server() as (url, first), stub_server() as (other, second):
        rollout, _ = roll(make_policy(), tmp_path, url, other)
    assert len(first.requests) + len(second.requests) == 8
    assert first.requests
    assert second.requests
    seeds = {body["seed"] for body in first.requests + second.requests}
    assert len(seeds) == 8
    contents = [body["messages"][0]["content"] for body in first.requests + second.requests]
    kinds = sorted(tuple(part["type"] for part in content) for content in contents)
    assert kinds == [("image_url", "image_url", "text")] * 4 + [("image_url", "text")] * 4
    images = {part["image_url"]["url"] for content in contents for part in content[:-1]}
    assert len(images) == 9  # eight scenes and one context
    (adapter,) = {body["model"] for body in first.requests + second.requests}
    assert first.adapters == second.adapters == [adapter]
    for group in rollout.groups:
        assert [c.tokens for c in group.completions] == [(40, 41)] * 3
        assert group.completions[0].logprobs == (-0.5, -math.inf)


def test_a_policy_without_adapter_uses_the_name_that_the_server_has_for_the_base(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    with stub_server() as (url, server):
        roll(make_policy(adapter="frozen"), tmp_path, url)
    assert {body["model"] for body in server.requests} == {"base"}
    assert server.adapters == []


@pytest.mark.parametrize("fail", [busy, slow, cut_off, no_json])
def test_requests_are_retried_until_a_server_recovers(
    make_policy: MakePolicy,
    tmp_path: Path,
    fail: Callable[[StubServer], object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with stub_server(failing=2, fail=staticmethod(fail)) as (url, server):
        rollout, engine = roll(make_policy(), tmp_path, url, timeout=0.5)
    assert len(rollout.groups) == len(server.requests) == 8
    assert len(server.adapters) == 1
    assert engine.take_counts() == {"rollout/failed": 2.0, "rollout/invalid": 0.0}
    assert engine.take_counts() == {"rollout/failed": 0.0, "rollout/invalid": 0.0}
    # A thread of an earlier test may still tell of its server.
    (told,) = [line for line in caplog.messages if line.startswith(url)]
    assert told.startswith(f"{url}: /v1/chat/completions")


@pytest.mark.parametrize("learns", [False, True])
def test_a_server_that_restarts_between_steps_gets_the_adapter_again(
    make_policy: MakePolicy, tmp_path: Path, learns: bool
) -> None:
    policy = make_policy()
    with stub_server() as (url, server):
        engine = VLLMServers([url], adapter_folder=str(tmp_path))
        sampler = Sampler(engine, Sampling(max_tokens=8), group_size=1)
        for step in range(2):
            sampler(policy, policy.encode.examples(world_samples(3)), step=step)
            server.adapters.clear()
            if learns:
                learn(policy)
    assert len(server.requests) == 6


def test_adapters_of_other_runs_stay_loaded(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy()
    with stub_server(adapters=["adapter-other-1"]) as (url, server):
        for run in range(2):
            engine = VLLMServers([url], adapter_folder=str(tmp_path / str(run)))
            sampler = Sampler(engine, Sampling(max_tokens=8), group_size=1)
            for step in range(4):
                sampler(policy, policy.encode.examples(world_samples(1)), step=step)
                learn(policy)
    runs = [name.rpartition("-")[0] for name in server.adapters]
    assert runs == ["adapter-other", *2 * [runs[1]], *2 * [runs[3]]]
    assert len(set(runs)) == 3


def test_the_requests_to_a_server_that_hangs_wait_for_it_together(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    asked: list[float] = []
    with (
        stub_server(models_asked=asked) as (url, _),
        stub_server(hold=staticmethod(lambda: time.sleep(0.1))) as (other, good),
    ):
        engine = VLLMServers([url, other], str(tmp_path), concurrency=8, timeout=0.5)
        policy = make_policy()
        examples = policy.encode.examples(with_context(world_samples(16)))
        Sampler(engine, Sampling(max_tokens=8), group_size=3)(policy, examples, step=0)
    assert len(good.requests) == 16
    assert len(asked) <= 3  # not each of eight


@pytest.mark.parametrize(
    ("fail", "message"),
    [(busy, r"fails \(503\)"), (slow, r"longer than rollout\.timeout=0\.5 s")],
)
def test_a_run_whose_only_server_answers_nothing_ends(
    make_policy: MakePolicy, tmp_path: Path, fail: Callable[[StubServer], object], message: str
) -> None:
    with (
        stub_server(failing=1000, fail=staticmethod(fail)) as (url, _),
        pytest.raises(UserError, match=f"(no vLLM server|no usable answer) .*{message}.*resume="),
    ):
        roll(make_policy(), tmp_path, url, timeout=0.5)


def test_a_server_that_fails_costs_no_prompt_where_another_answers(
    make_policy: MakePolicy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        stub_server(failing=1000, fail=staticmethod(busy)) as (url, bad),
        stub_server(hold=staticmethod(lambda: time.sleep(0.1))) as (other, good),
    ):
        _, engine = roll(make_policy(), tmp_path, url, other, count=16)
    assert len(good.requests) == 16
    assert not bad.requests
    assert 3 <= engine.take_counts()["rollout/failed"] <= 8  # two at a time
    assert [message for message in caplog.messages if "given up" in message]


def test_the_error_of_a_refusal_names_the_command_to_start_the_server(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    with (
        stub_server(refusal=404) as (url, _),
        pytest.raises(UserError, match=r"another model.*--enable-lora"),
    ):
        roll(make_policy(), tmp_path, url)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"root": "/elsewhere/other"}, "serves /elsewhere/other, and the policy is /models/tiny"),
        ({"sees_folders": False}, r"cannot read the adapter in .*adapter_uploads\.AdapterUploads"),
        ({"tokens": [1, 2]}, "as 2 tokens that are not the policy's"),
        ({"raw_logprobs": True}, r"before temperature.*--logprobs-mode processed_logprobs"),
        ({"refuses_adapters": True}, r"fails \(500\): .*max_lora_rank 2.*--max-lora-rank"),
    ],
)
def test_a_server_of_another_model_or_with_other_options_is_an_error(
    make_policy: MakePolicy, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with stub_server(**options) as (url, _), pytest.raises(UserError, match=message):
        roll(make_policy(), tmp_path, url)


def test_servers_with_a_key_get_it_and_one_that_changes_ends_the_run_in_one_message(
    make_policy: MakePolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", "secret")
    policy = make_policy()
    with stub_server(key="secret", uploads={}) as (url, server):
        engine = VLLMServers([url], str(tmp_path), key_variable="THE_KEY")
        sampler = Sampler(engine, Sampling(max_tokens=8), group_size=1)
        sampler(policy, policy.encode.examples(world_samples(2)), step=0)
        assert len(server.requests) == 2
        server.key = "another"
        with pytest.raises(UserError) as caught:
            sampler(policy, policy.encode.examples(world_samples(2)), step=1)
    refused = "/v1/chat/completions refuses (401): the key is missing or wrong"
    assert str(caught.value) == f"{url}{refused}. Type export THE_KEY=<its key>"


def test_the_error_of_a_prompt_that_is_too_long_names_its_sample(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    first, *_ = world_samples(1)
    with (
        stub_server(refusal=400) as (url, _),
        pytest.raises(UserError, match=rf"sample '{first.id}' .*another model.*max_tokens"),
    ):
        roll(make_policy(), tmp_path, url, count=1)


def test_no_server_at_all_is_an_error(
    make_policy: MakePolicy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(
        UserError, match=r"no vLLM server is left \(http://127\.0\.0\.1:9: /v1/models"
    ):
        roll(make_policy(), tmp_path, "http://127.0.0.1:9")
    asked, left_out = caplog.messages
    assert "(asked again; " in asked
    assert left_out.startswith("http://127.0.0.1:9 is left out until it is back")


def test_an_unchanged_adapter_is_written_once(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy()
    with stub_server() as (url, server):
        engine = VLLMServers([url], adapter_folder=str(tmp_path))
        sampler = Sampler(engine, Sampling(max_tokens=8), group_size=1)
        names = []
        for step in range(5):
            sampler(policy, policy.encode.examples(world_samples(1)), step=step)
            names += server.adapters
            if step % 2:
                learn(policy)
    # A request may still be under way with the one before.
    seen = [*dict.fromkeys(names)]
    assert [seen.index(name) for name in names] == [0, 0, 0, 1, 0, 1, 1, 2]
    assert len(list(tmp_path.glob("*/*"))) == 2
    plain = tmp_path / "plain"
    plain.mkdir()
    (folder,) = tmp_path.glob("adapter-*")
    assert folder.stat().st_mode == plain.stat().st_mode  # servers of other users read it
    del engine, sampler
    gc.collect()
    assert not folder.exists()
