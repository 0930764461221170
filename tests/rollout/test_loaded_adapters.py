"""Which adapters a server holds while the processes of a run learn, with stub servers."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from vllm_stub import busy, stub_server

from groundrl.policy.policy import Policy
from groundrl.rollout.adapter_files import KEPT_VERSIONS, AdapterPublisher, AdapterVersion
from groundrl.rollout.servers.adapter_uploads import FILES, KEPT_ADAPTERS
from groundrl.rollout.servers.client import ServerCheck, VLLMClient
from groundrl.rollout.servers.connection import ServerUnavailable

PROCESSES = KEPT_ADAPTERS + 4
KNOWN = {"tokens": [1, 2], "placeholder": 5}
CHECK = ServerCheck(
    model="/models/tiny",
    request={"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}]}]},
    tokens=[1, 2],
    placeholder=5,
)


class Uploads(dict[str, bytes]):
    """Counts the files that arrive."""

    arrived = 0

    def __setitem__(self, name: str, content: bytes) -> None:
        self.arrived += 1
        super().__setitem__(name, content)


@pytest.mark.slow
def test_however_many_processes_learn_each_adapter_is_sent_and_loaded_once(
    make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    policy = make_policy("lora")
    learned = next(p for p in policy.parameters() if p.requires_grad)
    uploads = Uploads()
    with stub_server(**KNOWN, uploads=uploads) as (url, server):
        processes = [
            (AdapterPublisher(tmp_path, run="ab12"), VLLMClient(url, 20.0))
            for _ in range(PROCESSES)
        ]
        for step in range(1, 5):
            for publish, client in processes:
                version = publish(policy)
                assert version is not None
                client.chat(version, CHECK, {"n": 1})
                weights = (version.folder / FILES[1]).read_bytes()
                assert server.weights[version.name] == hashlib.sha256(weights).hexdigest()
            assert len(server.adapters) == min(step, KEPT_VERSIONS)
            assert len(uploads) == uploads.arrived == 2 * step
            learned.data += 1.0
    asked = [body["model"] for body in server.requests]
    assert [*server.weights] == asked[::PROCESSES]
    assert [asked.count(name) for name in server.weights] == [PROCESSES] * 4


def versions(folder: Path, count: int) -> list[AdapterVersion]:
    """Of one run; each supersedes all before."""
    names = [f"adapter-ab12-{index}" for index in range(count)]
    for name in names:
        (folder / name).mkdir()
        for file in FILES:
            (folder / name / file).write_text(name)
    return [
        AdapterVersion(
            number=index + 1,
            name=name,
            folder=folder / name,
            superseded=frozenset(names[:index]),
        )
        for index, name in enumerate(names)
    ]


def test_a_server_that_fails_gets_the_files_of_its_adapter_again(tmp_path: Path) -> None:
    (version,) = versions(tmp_path, 1)
    uploads: dict[str, bytes] = {}
    with stub_server(**KNOWN, uploads=uploads, fail=staticmethod(busy)) as (url, server):
        first, second = VLLMClient(url, 20.0), VLLMClient(url, 20.0)
        for client in (first, second):
            client.chat(version, CHECK, {"n": 1})
        sent = dict(uploads)
        for client in (first, second):  # the second one found the adapter there
            uploads.clear()
            server.failing = 1
            with pytest.raises(ServerUnavailable):
                client.chat(version, CHECK, {"n": 1})
            client.chat(version, CHECK, {"n": 1})
            assert uploads == sent


def test_old_adapters_that_a_server_keeps_are_told_once_and_end_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    published = versions(tmp_path, 4)
    with stub_server(**KNOWN, unloads=400) as (url, server):
        client = VLLMClient(url, 20.0)
        for version in published:
            client.chat(version, CHECK, {"n": 1})
    assert [body["model"] for body in server.requests] == [one.name for one in published]
    assert len(server.adapters) == 4
    (told,) = caplog.messages
    assert told.startswith(f"{url}/v1/unload_lora_adapter refuses (400)")
    assert "(old adapters stay loaded; this is told once)" in told


def test_an_adapter_that_another_process_has_unloaded_is_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with stub_server(**KNOWN, unloads=404) as (url, server):
        client = VLLMClient(url, 20.0)
        for version in versions(tmp_path, 3):
            client.chat(version, CHECK, {"n": 1})
    assert len(server.adapters) == 1
    assert not caplog.messages


def test_a_server_that_fails_while_it_unloads_is_asked_again_as_any_other(tmp_path: Path) -> None:
    first, second = versions(tmp_path, 2)
    with stub_server(**KNOWN, unloads=503) as (url, server):
        client = VLLMClient(url, 20.0)
        client.chat(first, CHECK, {"n": 1})
        with pytest.raises(ServerUnavailable, match=r"unload_lora_adapter fails \(503\)"):
            client.chat(second, CHECK, {"n": 1})
        server.unloads = 200
        client.chat(second, CHECK, {"n": 1})
    assert server.adapters == [second.name]
