"""Chat servers that fail in every way that a connection allows, and what the client makes of it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from campaigns.table import Case
from groundrl.chat.base import Request
from groundrl.chat.openai_compatible import OpenAICompatibleModel
from groundrl.chat.spending import Price, Spending
from groundrl.errors import UserError

SECONDS: Final = 1.0
"""Without a byte of the response, after which a request has failed."""
LIMIT: Final = 60.0
"""Seconds for two requests, retries included, on a busy machine."""


def response(body: str, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """Of a server; ``length``: the one that it states."""
    content = body.encode()
    stated = f"Content-Length: {len(content) if length is None else length}"
    head = "\r\n".join([f"HTTP/1.1 {status}", stated, *headers])
    return head.encode() + b"\r\n\r\n" + content


def said(content: str, usage: str = '{"prompt_tokens": 3, "completion_tokens": 1}') -> str:
    """A chat completion."""
    return f'{{"choices": [{{"message": {{"content": {content}}}}}], "usage": {usage}}}'


RESPONSES: Final[dict[str, bytes | None]] = {
    "refuses": None,
    "hangs": b"",
    "closes": b"\x00",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "no HTTP": b"220 mail.host ESMTP\r\n",
    "half a body": response(said('"yes"')[:30], length=1000),
    "too short a length": response(said('"yes"'), length=10),
    "500": response("{}", "500 Oops"),
    "500, page": response("<html>oops</html>", "500 Oops", "Content-Type: text/html"),
    "503, come back in a year": response("{}", "503 Busy", "Retry-After: 31536000"),
    "429, come back never": response("{}", "429 Slow", "Retry-After: nan"),
    "302, to itself": response("", "302 Found", "Location: /v1/chat/completions"),
    "302, to nowhere": response("", "302 Found", "Location: http://[::"),
    "204": response("", "204 No Content"),
    "400": response('{"error": "no"}', "400 Bad"),
    "404": response("", "404 Gone"),
    "999": response("{}", "999 Odd"),
    "no JSON": response("yes"),
    "empty": response(""),
    "no gzip": response("yes", "200 OK", "Content-Encoding: gzip"),
    "unknown charset": response(said('"yes"'), "200 OK", "Content-Type: text/x; charset=odd"),
    "deep": response("[" * 100_000),
    "null": response("null"),
    "list": response("[]"),
    "no choices": response('{"choices": null}'),
    "choice of nothing": response('{"choices": [null]}'),
    "a number for a text": response(said("3")),
    "half a character": response(said('"\\ud800"')),
    "zero byte": response(said('"a\\u0000b"')),
    "NaN tokens": response(said('"yes"', '{"prompt_tokens": NaN}')),
    "text for tokens": response(said('"yes"', '{"prompt_tokens": "3"}')),
    "negative tokens": response(said('"yes"', '{"prompt_tokens": -3}')),
    "endless tokens": response(said('"yes"', f'{{"prompt_tokens": {"9" * 400}}}')),
    "list for usage": response(said('"yes"', "[1]")),
    "text for usage": response(said('"yes"', '"none"')),
}
"""Name -> bytes; None: nobody listens; empty: it never says anything."""
SERVERS: Final = ("chat-server",)


@contextmanager
def raw_server(content: bytes | None) -> Iterator[str]:
    """A server that answers every request with these bytes and closes the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    if content is None:
        listener.close()
        yield url
        return
    waiting: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # closed
                return
            if not content:
                waiting.append(connection)
                continue
            with connection:
                connection.recv(1 << 20)
                connection.sendall(content)
                connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in waiting:
            connection.close()


def ask_servers(name: str) -> Iterator[Case]:
    """Two requests to each server that fails, then what they cost."""
    for kind, content in RESPONSES.items():
        with raw_server(content) as url:
            spending = Spending(Price(prompt=1.0, completion=1.0), budget=1.0)
            model = OpenAICompatibleModel("m", [url], timeout=SECONDS, retries=1, spending=spending)
            begin = time.monotonic()
            problems = []
            try:
                replies = model([Request(text="one"), Request(text="two")])
                seen = f"{sum(reply is None for reply in replies)} of 2 without an answer"
                seen += f", cost {spending.cost:g}"
            except UserError as error:
                seen = f"UserError: {str(error)[:60]}"
            # Whatever it is, it is the campaign's result.
            except Exception as error:  # noqa: BLE001
                seen = f"{type(error).__name__}: {str(error)[:80]}"
                problems.append(seen)
            if (took := time.monotonic() - begin) > LIMIT:
                problems.append(f"{took:.0f} s")
        yield Case(
            name=f"{name}: {kind}",
            expected="no answer, or a UserError",
            seen="; ".join(problems) or seen,
            failed=bool(problems),
        )
