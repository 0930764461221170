"""Servers that only speak vLLM's protocol."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar


class Speaker(BaseHTTPRequestHandler):
    """Answers every prompt with the same two tokens."""

    hold: ClassVar[Callable[[], object]] = staticmethod(lambda: None)
    """Called before a chat request is answered."""
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
            cls.hold()
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
