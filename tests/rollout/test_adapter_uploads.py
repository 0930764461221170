"""A server that takes adapters over HTTP, and from whom."""

import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from groundrl.rollout.servers import adapter_uploads
from groundrl.rollout.servers.adapter_uploads import (
    ALLOWED,
    LOOPBACK,
    AdapterUploads,
    App,
    Message,
    Receive,
    Send,
    is_in,
    read_networks,
)

uvicorn: Any = pytest.importorskip("uvicorn", reason="vLLM, which brings it, has no build here")

WEIGHTS = "/v1/adapters/adapter-ab12-3/adapter_model.safetensors"


@pytest.fixture(autouse=True)
def _temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


async def model(scope: Message, receive: Receive, send: Send) -> None:
    """Stands for the server behind, which knows no uploads."""
    known = not scope["path"].startswith(adapter_uploads.PREFIX)
    await send({"type": "http.response.start", "status": 200 if known else 404, "headers": []})
    await send({"type": "http.response.body", "body": b"the model"})


async def model_with_key(scope: Message, receive: Receive, send: Send) -> None:
    """Stands for ``vllm serve --api-key secret``."""
    if (b"authorization", b"Bearer secret") in scope["headers"]:
        return await model(scope, receive, send)
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


@contextmanager
def serving(behind: App = model) -> Iterator[tuple[httpx.Client, Path]]:
    """A client of a server with uploads, and the folder that they go to."""
    uploads = AdapterUploads(behind)
    config = uvicorn.Config(uploads, port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield client, uploads.root
    finally:
        server.should_exit = True
        thread.join()


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_a_file_arrives_whole_and_other_requests_reach_the_model() -> None:
    content = bytes(range(256)) * 4096
    with serving() as (client, root):
        answer = client.put(WEIGHTS, content=content)
        folder = Path(answer.raise_for_status().json()["folder"])
        assert client.get("/v1/models").content == b"the model"
        assert folder == root / "adapter-ab12-3"
        assert (folder / "adapter_model.safetensors").read_bytes() == content
        assert client.put(WEIGHTS, content=b"anew").is_success
        assert (folder / "adapter_model.safetensors").read_bytes() == b"anew"
        assert files(root) == {"adapter-ab12-3/adapter_model.safetensors"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/adapters/a-1/setup.py"),
        ("PUT", "/v1/adapters/a-1/adapter_model.bin"),
        ("PUT", "/v1/adapters/a-1/x/adapter_config.json"),
        ("PUT", "/v1/adapters/../adapter_config.json"),
        ("PUT", "/v1/adapters/%2e%2e/adapter_config.json"),
        ("PUT", "/v1/adapters/..%2f..%2fa/adapter_config.json"),
        ("PUT", "/v1/adapters//adapter_config.json"),
        ("PUT", f"/v1/adapters/{'a' * 101}/adapter_config.json"),
        ("PUT", "/v1/adapters/a%0a/adapter_config.json"),
        ("PUT", "/v1/adapters/a%00/adapter_config.json"),
        ("GET", WEIGHTS),
        ("DELETE", WEIGHTS),
    ],
)
def test_nothing_but_the_two_files_of_an_adapter_is_taken(method: str, path: str) -> None:
    with serving() as (client, root):
        port = client.base_url.port
        with socket.create_connection(("127.0.0.1", port)) as raw:  # a client would mend the path
            head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
            raw.sendall(f"{head}Connection: close\r\n\r\n{{}}".encode())
            answer = raw.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 400")
        assert files(root) == set()
        assert list(root.parent.iterdir()) == [root]


def test_other_machines_are_refused_unless_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED, "10.0.0.0/8, 192.168.1.7")
    with serving() as (client, root):
        answer = client.put(WEIGHTS, content=b"x" * 10_000_000)
        assert answer.status_code == 403
        assert "start the server with GROUNDRL_UPLOADS_FROM=127.0.0.1" in answer.json()["error"]
        assert files(root) == set()


def test_an_upload_needs_the_key_of_the_server_before_a_byte_of_it_is_read() -> None:
    with serving(model_with_key) as (client, root):
        address = ("127.0.0.1", client.base_url.port)
        with socket.create_connection(address, timeout=20) as raw:
            raw.sendall(f"PUT {WEIGHTS} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n".encode())
            assert raw.recv(100).startswith(b"HTTP/1.1 401")
        wrong = {"Authorization": "Bearer secrets"}
        assert client.put(WEIGHTS, content=b"x", headers=wrong).status_code == 401
        assert list(root.iterdir()) == []
        right = {"Authorization": "Bearer secret"}
        assert client.put(WEIGHTS, content=b"x", headers=right).is_success
        assert files(root) == {"adapter-ab12-3/adapter_model.safetensors"}


@pytest.mark.parametrize(
    ("host", "networks", "allowed"),
    [
        ("127.0.0.1", LOOPBACK, True),
        ("::1", LOOPBACK, True),
        ("::ffff:127.0.0.1", LOOPBACK, True),
        ("10.0.0.1", LOOPBACK, False),
        ("::2", LOOPBACK, False),
        ("10.200.0.1", "10.0.0.0/8, 192.168.1.7", True),
        ("192.168.1.7", "10.0.0.0/8, 192.168.1.7", True),
        ("192.168.1.8", "10.0.0.0/8, 192.168.1.7", False),
        ("127.0.0.1", "10.0.0.0/8", False),
    ],
)
def test_who_is_in_a_network(host: str, networks: str, allowed: bool) -> None:
    assert is_in(host, read_networks(networks)) == allowed


@pytest.mark.parametrize("text", ["", "trainer", "10.0.0.1/8", "10.0.0.0/8;::1"])
def test_a_list_of_no_networks_stops_the_server(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED, text)
    with pytest.raises(ValueError, match=r"GROUNDRL_UPLOADS_FROM=.*expected networks"):
        AdapterUploads(model)


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_uploads, "MAX_BYTES", 1000)
    with serving() as (client, root):
        answer = client.put(WEIGHTS, content=b"x" * 10_000_000)
        assert answer.status_code == 413
        assert "lower adapter.rank" in answer.json()["error"]
        assert client.put(WEIGHTS, content=b"x" * 1001).status_code == 413
        assert files(root) == set()
        assert client.put(WEIGHTS, content=b"x" * 1000).is_success


def test_an_upload_that_is_cut_off_changes_nothing() -> None:
    with serving() as (client, root):
        client.put(WEIGHTS, content=b"before").raise_for_status()
        with socket.create_connection(("127.0.0.1", client.base_url.port)) as raw:
            raw.sendall(
                f"PUT {WEIGHTS} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf".encode()
            )
        assert client.get("/").content == b"the model"
        assert (root / "adapter-ab12-3/adapter_model.safetensors").read_bytes() == b"before"


def test_two_processes_may_send_the_same_file_at_once() -> None:
    head = f"PUT {WEIGHTS} HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n".encode()
    with serving() as (client, root):
        file = root / "adapter-ab12-3/adapter_model.safetensors"
        address = ("127.0.0.1", client.base_url.port)
        with socket.create_connection(address) as one, socket.create_connection(address) as other:
            for process in (one, other):
                process.sendall(head + b"same")
                client.get("/")  # the server has read it
            for process in (one, other):
                process.sendall(b"file")
                assert process.recv(100).startswith(b"HTTP/1.1 200")
                assert file.read_bytes() == b"samefile"
        assert files(root) == {"adapter-ab12-3/adapter_model.safetensors"}


def test_the_oldest_adapters_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_uploads, "KEPT_ADAPTERS", 4)
    with serving() as (client, root):
        for number in range(1, 7):
            assert len(list(root.iterdir())) == min(number - 1, 4)
            for file in adapter_uploads.FILES:
                path = f"/v1/adapters/a-{number}/{file}"
                client.put(path, content=b"x").raise_for_status()
            time.sleep(0.02)  # longer than a tick of the file system's clock
        assert {path.name for path in root.iterdir()} == {"a-3", "a-4", "a-5", "a-6"}


def test_what_was_uploaded_is_removed_with_the_server() -> None:
    uploads = AdapterUploads(model)
    root = uploads.root
    assert root.is_dir()
    del uploads
    assert not root.exists()
