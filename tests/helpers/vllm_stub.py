"""Servers with the HTTP interface of vLLM, without a model: in this process or one of their own."""

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

Choices = list[dict[str, Any]]


class StubServer(BaseHTTPRequestHandler):
    """Answers every chat request with the same two tokens."""

    hold: ClassVar[Any] = staticmethod(lambda: None)
    """Called before a chat request is answered."""
    failing: ClassVar[int] = 0
    """Number of chat requests that still fail."""
    fail: ClassVar[Callable[["StubServer"], object]]
    refusal: ClassVar[int | None] = None
    refuses_adapters: ClassVar[bool] = False
    sees_folders: ClassVar[bool] = True
    """Whether it can read the folders of this machine."""
    unloads: ClassVar[int] = 200
    """What it answers when asked to unload an adapter that it has; 404: another was first."""
    uploads: ClassVar[dict[str, bytes] | None] = None
    """Files that were uploaded; None: it takes none."""
    key: ClassVar[str | None] = None
    """The API key that it asks for; None: none."""
    root: ClassVar[str] = "/elsewhere/tiny"
    tokens: ClassVar[list[int] | dict[str, list[int]]]
    """Token ids of the first prompt, or of each prompt by its text."""
    placeholder: ClassVar[int]
    raw_logprobs: ClassVar[bool] = False
    draws: ClassVar[bool] = False
    """Whether answers depend on the seed, and log-probabilities on the adapter too."""
    spoil: ClassVar[Callable[[Choices], object] | None] = None
    """Called once with the choices of an answer, to damage them."""
    models_asked: ClassVar[list[float] | None] = None
    """When /v1/models was asked for, which is not answered then; None: it is."""
    dies_at: ClassVar[int | None] = None
    """The chat request, from 0, during which the process kills itself."""
    requests: ClassVar[list[dict[str, Any]]]
    adapters: ClassVar[list[str]]
    weights: ClassVar[dict[str, str]]
    """Adapter -> a hash of its weights."""

    def parse_request(self) -> bool:
        """Read the head of a request; refuses one without the key as vLLM does."""
        if not super().parse_request():
            return False
        given = self.headers["Authorization"]
        if self.key is None or given == f"Bearer {self.key}" or not self.path.startswith("/v1"):
            return True
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.answer(401, {"error": "Unauthorized"})
        return False

    def do_GET(self) -> None:
        if self.path == "/v1/models" and self.models_asked is not None:
            self.models_asked.append(time.monotonic())
            return slow(self)
        base = {"id": "base", "root": self.root, "parent": None}
        adapters = [{"id": name, "root": "a", "parent": "base"} for name in self.adapters]
        self.answer(200, {"data": [base, *adapters]})

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        _, name, file = self.path.rsplit("/", 2)
        if self.uploads is None:
            self.answer(404, {"detail": "Not Found"})
        else:
            self.uploads[f"{name}/{file}"] = content
            self.answer(200, {"folder": f"/uploads/{name}"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            assert body["model"] == "base"
            text = body["messages"][0]["content"][-1]["text"]
            tokens = self.tokens if isinstance(self.tokens, list) else self.tokens[text]
            self.answer(200, {"tokens": tokens})
        elif self.path == "/v1/chat/completions":
            self.chat(body)
        else:
            self.swap(body["lora_name"], body.get("lora_path", ""))

    def swap(self, name: str, folder: str) -> None:
        """Load an adapter, or unload it; refuses what vLLM refuses."""
        loads = self.path == "/v1/load_lora_adapter"
        if loads and self.refuses_adapters:
            self.answer(500, {"error": "LoRA rank 4 is greater than max_lora_rank 2"})
        elif loads and name in self.adapters:
            self.answer(400, {"error": f"The lora adapter '{name}' has already been loaded."})
        elif loads:
            self.load(name, folder)
        elif name not in self.adapters:
            self.answer(404, {"error": f"The lora adapter '{name}' cannot be found."})
        else:
            if self.unloads in (200, 404):
                self.adapters.remove(name)
            self.answer(self.unloads, {})

    def load(self, name: str, folder: str) -> None:
        """Load an adapter; refuses one that is not there."""
        weights = self.read_weights(folder)
        if weights is None:
            self.answer(404, {"error": f"No adapter found for {folder}"})
        else:
            self.adapters.append(name)
            self.weights[name] = hashlib.sha256(weights).hexdigest()
            self.answer(200, {})

    def read_weights(self, folder: str) -> bytes | None:
        """The file of an adapter; None where there is none."""
        file = Path(folder) / "adapter_model.safetensors"
        if self.uploads is not None:
            return self.uploads.get(f"{file.parent.name}/{file.name}")
        return file.read_bytes() if self.sees_folders and file.exists() else None

    def chat(self, body: dict[str, Any]) -> None:
        """Answer, fail, or refuse."""
        cls = type(self)
        if body["model"] not in ("base", *self.adapters):
            self.answer(404, {"error": f"The model {body['model']} does not exist."})
        elif "n" not in body:
            assert body["logit_bias"] == {str(self.placeholder): 100}
            content = [{"logprob": -11.0 if self.raw_logprobs else 0.0}]
            self.answer(200, {"choices": [{"logprobs": {"content": content}}]})
        elif cls.refusal is not None:
            self.answer(cls.refusal, {"error": "this is another model"})
        elif cls.failing > 0:
            cls.failing -= 1
            cls.fail(self)  # one of the functions below
        else:
            if len(cls.requests) == cls.dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            cls.requests.append(body)
            cls.hold()
            draw = self.drawn if self.draws else constant
            choices = [draw(body, index) | {"index": index} for index in range(body["n"])]
            choices.reverse()
            if cls.spoil is not None:
                spoil, cls.spoil = cls.spoil, None
                spoil(choices)
            self.answer(200, {"choices": choices})

    def drawn(self, body: dict[str, Any], index: int) -> dict[str, Any]:
        """A completion that depends on the seed and its index only; its log-probabilities also on
        the weights of the adapter."""
        numbers = random.Random(f"{body['seed']}/{index}")
        tokens = [numbers.randrange(30, 300) for _ in range(numbers.randrange(2, 6))]
        numbers = random.Random(f"{body['seed']}/{index}/{self.weights[body['model']]}")
        content = [{"logprob": -6.0 + numbers.random()} for _ in tokens]
        return {"token_ids": tokens, "logprobs": {"content": content}}

    def answer(self, code: int, body: dict[str, Any]) -> None:
        self.send(code, json.dumps(body).encode())

    def send(self, code: int, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def constant(body: dict[str, Any], index: int) -> dict[str, Any]:
    """The same two tokens."""
    content = [{"logprob": -0.5}, {"logprob": -9999.0}]
    return {"token_ids": [40, 41], "logprobs": {"content": content}}


def stub_class(options: dict[str, Any]) -> type[StubServer]:
    state = {"requests": [], "adapters": [], "weights": {}}
    return type("OneStubServer", (StubServer,), {**state, **options})


@contextmanager
def stub_server(**options: Any) -> Iterator[tuple[str, type[StubServer]]]:
    server = stub_class(options)
    running = ThreadingHTTPServer(("127.0.0.1", 0), server)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", server
    finally:
        running.shutdown()
        running.server_close()


class StubProcess:
    """A stub server in a process of its own, which draws its answers and may be killed."""

    def __init__(self, **options: Any) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.options = {"draws": True, **options}
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self, **options: Any) -> None:
        """Start it, again at the same address; returns when it listens."""
        if self.process is not None:
            self.process.wait()
        with tempfile.TemporaryFile("w+") as file:
            json.dump(self.options | options, file)
            file.seek(0)
            command = [sys.executable, __file__, str(self.port)]
            self.process = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        with self.process.stdout as told:
            assert told.readline() == b"listening\n"

    def is_dead(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@contextmanager
def stub_process(**options: Any) -> Iterator[StubProcess]:
    server = StubProcess(**options)
    try:
        yield server
    finally:
        server.kill()


def busy(one: StubServer) -> None:
    """The answer of a server that is starting."""
    one.answer(503, {})


def slow(one: StubServer) -> None:
    """An answer after the client's time-out."""
    time.sleep(1.0)


def cut_off(one: StubServer) -> None:
    """Half of an answer."""
    one.send_response(200)
    one.send_header("Content-Length", "1000")
    one.end_headers()
    one.wfile.write(b'{"choices": [')


def no_json(one: StubServer) -> None:
    """The answer of a proxy."""
    one.send(200, b"<html>a moment, please</html>")


def main() -> None:
    """The process: its options are on standard input."""
    server = stub_class(json.load(sys.stdin))
    running = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), server)
    print("listening", flush=True)
    running.serve_forever()


if __name__ == "__main__":
    main()
