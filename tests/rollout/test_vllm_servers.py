"""How prompts are shared among servers, with servers that only speak the protocol."""

import gc
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from world_questions import with_context, world_samples

from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.rollout import server
from groundrl.rollout.base import Sampling
from groundrl.rollout.sampler import Rollout, Sampler
from groundrl.rollout.vllm_server import VLLMServers

MakePolicy = Callable[..., Policy]


class Speaker(BaseHTTPRequestHandler):
    """Answers every prompt with the same two tokens."""

    ill: ClassVar[int] = 0
    """Chat requests that get a 503."""
    refusal: ClassVar[int | None] = None
    refuses_adapters: ClassVar[bool] = False
    root: ClassVar[str] = "/elsewhere/tiny"
    tokens: ClassVar[list[int]]
    """Of the first prompt."""
    asked: ClassVar[list[dict[str, Any]]]
    adapters: ClassVar[list[str]]

    def do_GET(self) -> None:
        base = {"id": "base", "root": self.root, "parent": None}
        adapter = {"id": "adapter", "root": "adapters/1", "parent": "base"}
        self.answer(200, {"data": [base, adapter]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cls = type(self)
        if self.path == "/tokenize":
            assert body["model"] == "base"
            self.answer(200, {"tokens": self.tokens})
        elif self.path == "/v1/load_lora_adapter" and cls.refuses_adapters:
            self.answer(400, {"error": "LoRA rank 4 is greater than max_lora_rank 2"})
        elif self.path == "/v1/load_lora_adapter":
            assert (Path(body["lora_path"]) / "adapter_model.safetensors").exists()
            cls.adapters.append(body["lora_name"])
            self.answer(200, {})
        elif self.path == "/v1/unload_lora_adapter":
            cls.adapters.remove(body["lora_name"])
            self.answer(200, {})
        elif cls.refusal is not None:
            self.answer(cls.refusal, {"error": "this is another model"})
        elif cls.ill > 0:
            cls.ill -= 1
            self.answer(503, {})
        else:
            cls.asked.append(body)
            content = [{"logprob": -0.5}, {"logprob": -0.25}]
            choice = {"token_ids": [40, 41], "logprobs": {"content": content}}
            choices = [choice | {"index": i} for i in reversed(range(body["n"]))]
            self.answer(200, {"choices": choices})

    def answer(self, code: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def speaker(**options: Any) -> Iterator[tuple[str, type[Speaker]]]:
    handler = type("OneSpeaker", (Speaker,), {"asked": [], "adapters": [], **options})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", handler
    finally:
        running.shutdown()
        running.server_close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PAUSE", 0.0)


@pytest.fixture
def make_policy(make_policy: MakePolicy, monkeypatch: pytest.MonkeyPatch) -> MakePolicy:
    """A policy that the speakers know."""

    def make() -> Policy:
        policy = make_policy()
        policy.vlm.name_or_path = "/models/tiny"
        first = policy.encode(world_samples(1)[0]).prefix.tokens.tolist()
        monkeypatch.setattr(Speaker, "tokens", first, raising=False)
        return policy

    return make


def roll(policy: Policy, folder: Path, *urls: str) -> tuple[Rollout, VLLMServers]:
    engine = VLLMServers(urls, adapter_folder=str(folder), concurrency=2, retries=3)
    sampler = Sampler(engine, Sampling(max_tokens=8), group_size=3)
    return sampler(policy, policy.encode.examples(with_context(world_samples(8))), step=0), engine


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
    pictures = {part["image_url"]["url"] for content in contents for part in content[:-1]}
    assert len(pictures) == 9  # eight scenes and one context
    (adapter,) = {body["model"] for body in first.asked + second.asked}
    assert first.adapters == second.adapters == [adapter]
    for group in rollout.groups:
        assert [c.tokens for c in group.completions] == [(40, 41)] * 3
        assert group.completions[0].logprobs == (-0.5, -0.25)


def test_a_server_that_recovers_goes_on(make_policy: MakePolicy, tmp_path: Path) -> None:
    with speaker(ill=3) as (url, handler):
        rollout, engine = roll(make_policy(), tmp_path, url)
    assert len(rollout.groups) == 8
    assert len(engine.servers) == 1
    assert len(set(handler.adapters)) == 1  # loaded again, in case it was started anew


def test_a_prompt_that_fails_everywhere_is_told(make_policy: MakePolicy, tmp_path: Path) -> None:
    with (
        speaker(ill=1000) as (url, _),
        pytest.raises(UserError, match="fails at every server"),
    ):
        roll(make_policy(), tmp_path, url)


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
        ({"refuses_adapters": True}, r"refuses \(400\): .*max_lora_rank 2.*--max-lora-rank"),
    ],
)
def test_a_server_that_cannot_speak_for_the_policy_is_told(
    make_policy: MakePolicy, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with speaker(**options) as (url, _), pytest.raises(UserError, match=message):
        roll(make_policy(), tmp_path, url)


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
                next(p for p in policy.parameters() if p.requires_grad).data += 1.0
    assert [name.rpartition("-")[2] for name in names] == ["1", "1", "2", "2", "3"]
    assert len(list(tmp_path.glob("*/*"))) == 2
    plain = tmp_path / "plain"
    plain.mkdir()
    (folder,) = tmp_path.glob("adapter-*")
    assert folder.stat().st_mode == plain.stat().st_mode  # servers of other users read it
    del engine, sampler
    gc.collect()
    assert not folder.exists()
