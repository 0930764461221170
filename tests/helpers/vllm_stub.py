"""Servers with the HTTP interface of vLLM, without a model."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar


class StubServer(BaseHTTPRequestHandler):
    """Answers every chat request with the same two tokens."""

    hold: ClassVar[Any] = staticmethod(lambda: None)
    """Called before a chat request is answered."""
    failing: ClassVar[int] = 0
    """Number of chat requests that still fail."""
    fail: ClassVar[Callable[["StubServer"], object]]
    refusal: ClassVar[int | None] = None
    refuses_adapters: ClassVar[bool] = False
    root: ClassVar[str] = "/elsewhere/tiny"
    tokens: ClassVar[list[int]]
    """Token ids of the first prompt."""
    placeholder: ClassVar[int]
    raw_logprobs: ClassVar[bool] = False
    requests: ClassVar[list[dict[str, Any]]]
    adapters: ClassVar[list[str]]

    def do_GET(self) -> None:
        base = {"id": "base", "root": self.root, "parent": None}
        adapters = [{"id": name, "root": "a", "parent": "base"} for name in self.adapters]
        self.answer(200, {"data": [base, *adapters]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            assert body["model"] == "base"
            self.answer(200, {"tokens": self.tokens})
        elif self.path == "/v1/chat/completions":
            self.chat(body)
        else:
            self.swap(body["lora_name"], Path(body.get("lora_path", "")))

    def swap(self, name: str, folder: Path) -> None:
        """Load an adapter, or unload it; refuses what vLLM refuses."""
        loads = self.path == "/v1/load_lora_adapter"
        if loads and self.refuses_adapters:
            self.answer(500, {"error": "LoRA rank 4 is greater than max_lora_rank 2"})
        elif loads and name in self.adapters:
            self.answer(400, {"error": f"The lora adapter '{name}' has already been loaded."})
        elif loads:
            assert (folder / "adapter_model.safetensors").exists()
            self.adapters.append(name)
            self.answer(200, {})
        elif name not in self.adapters:
            self.answer(404, {"error": f"The lora adapter '{name}' cannot be found."})
        else:
            self.adapters.remove(name)
            self.answer(200, {})

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
            cls.requests.append(body)
            cls.hold()
            content = [{"logprob": -0.5}, {"logprob": -9999.0}]
            choice = {"token_ids": [40, 41], "logprobs": {"content": content}}
            choices = [choice | {"index": i} for i in reversed(range(body["n"]))]
            self.answer(200, {"choices": choices})

    def answer(self, code: int, body: dict[str, Any]) -> None:
        self.send(code, json.dumps(body).encode())

    def send(self, code: int, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def stub_server(**options: Any) -> Iterator[tuple[str, type[StubServer]]]:
    server = type("OneStubServer", (StubServer,), {"requests": [], "adapters": [], **options})
    running = ThreadingHTTPServer(("127.0.0.1", 0), server)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", server
    finally:
        running.shutdown()
        running.server_close()


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
