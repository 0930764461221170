"""A chat server over HTTP that says what a test tells it to."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Raw:
    """An answer that is no chat completion."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def error(status: int, message: str, code: str | None = None) -> Raw:
    body = json.dumps({"error": {"message": message, "code": code}}).encode()
    return Raw(body=body, status=status, headers={"retry-after-ms": "1"})


def completion(text: str | None, prompt: int = 7, written: int = 3) -> Raw:
    usage = {"prompt_tokens": prompt, "completion_tokens": written}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    return Raw(body=json.dumps({"choices": [choice], "usage": usage}).encode())


def said(body: Body) -> str:
    """The text of a request."""
    content = body["messages"][0]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


@dataclass
class Served:
    url: str
    bodies: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    peers: set[Any] = field(default_factory=set)
    """Connections."""
    most: int = 0
    """Requests under way at once."""
    now: int = 0


@contextmanager
def chat_server(reply: Callable[[Body], str | Raw], seconds: float = 0.0) -> Iterator[Served]:
    """``reply``: what is said to a request, ``seconds`` later."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                served.bodies.append(body)
                served.headers.append({k.lower(): v for k, v in self.headers.items()})
                served.peers.add(self.client_address)
                served.now += 1
                served.most = max(served.most, served.now)
            if self.path == "/v1/chat/completions":
                answer = reply(body)
            else:
                answer = error(404, f"no {self.path}")
            time.sleep(seconds)
            with lock:
                served.now -= 1
            answer = completion(answer) if isinstance(answer, str) else answer
            self.send_response(answer.status)
            for key, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    served = Served(url=f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
