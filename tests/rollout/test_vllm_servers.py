"""How prompts are shared among servers, with servers that only speak the protocol."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from speakers import Speaker, busy, cut_off, no_json, slow, speaker
from world_questions import with_context, world_samples

from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.rollout import vllm_client
from groundrl.rollout.base import Sampling
from groundrl.rollout.sampler import Rollout, Sampler
from groundrl.rollout.vllm_server import VLLMServers

MakePolicy = Callable[..., Policy]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_client, "FIRST_PAUSE", 0.0)


@pytest.fixture
def make_policy(make_policy: MakePolicy, monkeypatch: pytest.MonkeyPatch) -> MakePolicy:
    """A policy that the speakers know."""

    def make(adapter: str | None = "lora") -> Policy:
        policy = make_policy(adapter)
        policy.vlm.name_or_path = "/models/tiny"
        first = policy.encode(world_samples(1)[0]).prefix.tokens.tolist()
        monkeypatch.setattr(Speaker, "tokens", first, raising=False)
        monkeypatch.setattr(Speaker, "placeholder", policy.spec.image_token, raising=False)
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
    with speaker() as (url, first), speaker() as (other, second):
        rollout, _ = roll(make_policy(), tmp_path, url, other)
    assert len(first.asked) + len(second.asked) == 8
    assert first.asked
    assert second.asked
    seeds = {body["seed"] for body in first.asked + second.asked}
    assert len(seeds) == 8
    contents = [body["messages"][0]["content"] for body in first.asked + second.asked]
    kinds = sorted(tuple(part["type"] for part in content) for content in contents)
    assert kinds == [("image_url", "image_url", "text")] * 4 + [("image_url", "text")] * 4
    images = {part["image_url"]["url"] for content in contents for part in content[:-1]}
    assert len(images) == 9  # eight scenes and one context
    (adapter,) = {body["model"] for body in first.asked + second.asked}
    assert first.adapters == second.adapters == [adapter]
    for group in rollout.groups:
        assert [c.tokens for c in group.completions] == [(40, 41)] * 3
        assert group.completions[0].logprobs == (-0.5, -0.25)


def test_a_base_without_adapter_is_asked_by_the_name_that_the_server_has_for_it(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    with speaker() as (url, handler):
        roll(make_policy(adapter="frozen"), tmp_path, url)
    assert {body["model"] for body in handler.asked} == {"base"}
    assert handler.adapters == []


@pytest.mark.parametrize("fail", [busy, slow, cut_off, no_json])
def test_a_server_that_fails_for_a_while_goes_on(
    make_policy: MakePolicy, tmp_path: Path, fail: Callable[[Speaker], object]
) -> None:
    with speaker(ill=2, fail=staticmethod(fail)) as (url, handler):
        rollout, engine = roll(make_policy(), tmp_path, url, timeout=0.5)
    assert len(rollout.groups) == len(handler.asked) == 8
    assert len(engine.servers) == len(handler.adapters) == 1


@pytest.mark.parametrize("learns", [False, True])
def test_a_server_that_is_started_anew_while_nobody_asks_gets_the_adapter_again(
    make_policy: MakePolicy, tmp_path: Path, learns: bool
) -> None:
    policy = make_policy()
    with speaker() as (url, handler):
        engine = VLLMServers([url], adapter_folder=str(tmp_path))
        sampler = Sampler(engine, Sampling(max_tokens=8), group_size=1)
        for step in range(2):
            sampler(policy, policy.encode.examples(world_samples(3)), step=step)
            handler.adapters.clear()
            if learns:
                learn(policy)
    assert len(handler.asked) == 6


def test_adapters_of_other_runs_stay(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy()
    with speaker(adapters=["adapter-other-1"]) as (url, handler):
        for run in range(2):
            engine = VLLMServers([url], adapter_folder=str(tmp_path / str(run)))
            sampler = Sampler(engine, Sampling(max_tokens=8), group_size=1)
            for step in range(4):
                sampler(policy, policy.encode.examples(world_samples(1)), step=step)
                learn(policy)
    assert [name.rpartition("-")[2] for name in handler.adapters] == ["1", "3", "4", "3", "4"]


@pytest.mark.parametrize(
    ("fail", "message"), [(busy, r"fails \(503\)"), (slow, "longer than 0.5 s")]
)
def test_a_prompt_that_fails_everywhere_is_told(
    make_policy: MakePolicy, tmp_path: Path, fail: Callable[[Speaker], object], message: str
) -> None:
    with (
        speaker(ill=1000, fail=staticmethod(fail)) as (url, _),
        pytest.raises(UserError, match=f"fails at every server.*{message}"),
    ):
        roll(make_policy(), tmp_path, url, timeout=0.5)


def test_a_server_that_refuses_is_told_with_the_command_to_start_it(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    with (
        speaker(refusal=404) as (url, _),
        pytest.raises(UserError, match=r"another model.*--enable-lora"),
    ):
        roll(make_policy(), tmp_path, url)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"root": "/elsewhere/other"}, "serves /elsewhere/other, and the policy is /models/tiny"),
        ({"tokens": [1, 2]}, "as 2 tokens that are not the policy's"),
        ({"raw_logprobs": True}, r"before temperature.*--logprobs-mode processed_logprobs"),
        ({"refuses_adapters": True}, r"fails \(500\): .*max_lora_rank 2.*--max-lora-rank"),
    ],
)
def test_a_server_that_cannot_speak_for_the_policy_is_told(
    make_policy: MakePolicy, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with speaker(**options) as (url, _), pytest.raises(UserError, match=message):
        roll(make_policy(), tmp_path, url)


def test_a_prompt_that_a_server_has_no_room_for_is_told_with_its_sample(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    first, *_ = world_samples(1)
    with (
        speaker(refusal=400) as (url, _),
        pytest.raises(UserError, match=rf"sample '{first.id}' .*another model.*max_tokens"),
    ):
        roll(make_policy(), tmp_path, url, count=1)


def test_no_server_at_all_is_told(make_policy: MakePolicy, tmp_path: Path) -> None:
    with (
        pytest.warns(UserWarning, match=r"http://127\.0\.0\.1:9 is left out"),
        pytest.raises(UserError, match="no vLLM server is left"),
    ):
        roll(make_policy(), tmp_path, "http://127.0.0.1:9")


def test_an_unchanged_adapter_is_written_once(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy()
    with speaker() as (url, handler):
        engine = VLLMServers([url], adapter_folder=str(tmp_path))
        sampler = Sampler(engine, Sampling(max_tokens=8), group_size=1)
        names = []
        for step in range(5):
            sampler(policy, policy.encode.examples(world_samples(1)), step=step)
            names += handler.adapters
            if step % 2:
                learn(policy)
    # A request may still be under way with the one before.
    assert [name.rpartition("-")[2] for name in names] == [*"11", *"12", *"12", *"23"]
    assert len(list(tmp_path.glob("*/*"))) == 2
    plain = tmp_path / "plain"
    plain.mkdir()
    (folder,) = tmp_path.glob("adapter-*")
    assert folder.stat().st_mode == plain.stat().st_mode  # servers of other users read it
    del engine, sampler
    gc.collect()
    assert not folder.exists()
