"""API keys of vLLM servers: sent, never shown, and what is said where one is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from chat_server import Raw, chat_server
from config_problems import problems
from vllm_stub import stub_server

from groundrl.errors import UserError
from groundrl.rollout.servers.connection import (
    RequestRefused,
    ServerUnavailable,
    VLLMConnection,
)

KEY = "sk-very-secret-0123456789"
ENGINE = {
    "_target_": "groundrl.rollout.servers.engine.VLLMServers",
    "urls": ["http://a:8000"],
    "adapter_folder": "served",
}


@pytest.fixture
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", KEY)


@pytest.mark.usefixtures("_key")
def test_every_request_brings_the_key(tmp_path: Path) -> None:
    file = tmp_path / "adapter_config.json"
    file.write_text("{}")
    files: dict[str, bytes] = {}
    with stub_server(key=KEY, uploads=files) as (url, _):
        server = VLLMConnection(url, 20.0, "THE_KEY")
        assert [model["id"] for model in server.get("/v1/models")["data"]] == ["base"]
        server.put_file("/v1/adapters/a-1/adapter_config.json", file)
        with pytest.raises(RequestRefused, match=r"refuses \(404\)"):
            server.order("/v1/load_lora_adapter", {"lora_name": "a-1", "lora_path": "a-1"})
    assert files == {"a-1/adapter_config.json": b"{}"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, r"wrong\. Type export <NAME>=<its key>, and rollout\.key_variable=<NAME>$"),
        ("another", r"/v1/models refuses \(401\): .*wrong\. Type export THE_KEY=<its key>$"),
    ],
)
def test_a_missing_or_wrong_key_is_one_message(
    value: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("THE_KEY", value)
    with stub_server(key=KEY) as (url, _), pytest.raises(RequestRefused, match=message):
        VLLMConnection(url, 20.0, value and "THE_KEY").get("/v1/models")


def ask(server: VLLMConnection) -> object:
    return server.post("/chat/completions", {"messages": [{"content": "?"}]})


def read_choices(server: VLLMConnection) -> object:
    return server.field("/chat/completions", ask(server), "choices", list)


@pytest.mark.usefixtures("_key")
@pytest.mark.parametrize(
    ("answer", "call", "message"),
    [
        (
            Raw(body=f"{KEY} may not".encode(), status=403),
            ask,
            r"\*\*\* may not\. .*export THE_KEY=",
        ),
        (Raw(body=f"{KEY} is odd".encode(), status=400), ask, r"\*\*\* is odd"),
        (Raw(body=f"{'x' * 495}{KEY}".encode(), status=500), ask, r"fails \(500\): x{495}\*\*\*"),
        (Raw(body=f"no JSON {KEY}".encode()), ask, r"no JSON \*\*\*"),
        (Raw(body=f'{{"said": "{KEY}"}}'.encode()), read_choices, r"'said': '\*\*\*'"),
    ],
    ids=["403", "400", "500", "no JSON", "no answer of vLLM's"],
)
def test_no_message_shows_the_key(
    answer: Raw, call: Callable[[VLLMConnection], object], message: str
) -> None:
    with (
        chat_server(lambda _: answer) as served,
        pytest.raises((RequestRefused, ServerUnavailable), match=message) as caught,
    ):
        call(VLLMConnection(served.url, 20.0, "THE_KEY"))
    assert served.headers[0]["authorization"] == f"Bearer {KEY}"
    assert KEY[:5] not in repr(caught.value)


@pytest.mark.usefixtures("_key")
def test_a_server_to_which_another_one_points_does_not_get_the_key() -> None:
    with chat_server(lambda _: "yes") as other:
        location = {"Location": f"{other.url}/chat/completions"}
        moved = Raw(body=b"", status=307, headers=location)
        with chat_server(lambda _: moved) as served:
            ask(VLLMConnection(served.url, 20.0, "THE_KEY"))
    assert KEY in str(served.headers)
    assert other.headers
    assert KEY not in str(other.headers)


def test_a_key_that_is_not_set_is_told_with_the_rest_of_the_config(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (problem,) = problems({"rollout": ENGINE | {"key_variable": "NO_SUCH_KEY"}})
    assert problem.startswith("rollout.key_variable=NO_SUCH_KEY is not set: type export NO_SUCH_KE")
    monkeypatch.setenv("NO_SUCH_KEY", "two words")
    with pytest.raises(UserError, match=r"holds no key: type export NO_SUCH_KEY=<the key of http"):
        VLLMConnection("http://a:8000", 20.0, "NO_SUCH_KEY")
