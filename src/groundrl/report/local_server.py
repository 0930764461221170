"""Pages over HTTP for browsers on this machine only."""

import errno
import re
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from groundrl.errors import UserError

LOOPBACK: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
"""Values of the Host header that reach this machine: another name may be resolved to it by a
foreign site."""
IDLE_SECONDS: Final = 60
PORTS: Final = range(65536)


class RequestError(Exception):
    """A request that is refused."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class LocalServer(ThreadingHTTPServer):
    """Listens on the loopback address. A block closes it."""

    daemon_threads = True

    def __init__(self, port: int, handler: type["LocalHandler"]) -> None:
        """Raises UserError where the port cannot be had. ``port`` 0: any that is free."""
        if port not in PORTS:
            raise UserError(f"port={port} is no port: type a number up to {PORTS[-1]}")
        try:
            super().__init__(("127.0.0.1", port), handler)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise UserError(
                f"port {port} cannot be used ({error.strerror}): type another one, or 0 for any "
                "free one"
            ) from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away in the middle of an answer is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        return f"http://127.0.0.1:{self.server_port}/"


class LocalHandler(BaseHTTPRequestHandler):
    """What all pages share: which requests are served, and how they are answered."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    server: LocalServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        """Writes nothing: the terminal shows the address."""

    def check_host(self) -> str:
        """The Host header. Raises RequestError for a name of another machine."""
        host = self.headers.get("Host", "")
        if not LOOPBACK.fullmatch(host):
            raise RequestError(
                HTTPStatus.FORBIDDEN, f"open {self.server.url}: {host!r} is not this machine"
            )
        return host

    def check_origin(self, may: str) -> None:
        """Raise RequestError for a request of another site. ``may``: what only the page may."""
        host = self.check_host()
        if self.headers.get("Origin") != f"http://{host}":
            raise RequestError(HTTPStatus.FORBIDDEN, f"only the page itself may {may}")

    def read_body(self, most: int) -> bytes:
        """The body. Raises RequestError for one of more than ``most`` bytes."""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,9}", length) or int(length) > most:
            raise RequestError(HTTPStatus.BAD_REQUEST, f"expected a body of at most {most} bytes")
        return self.rfile.read(int(length))

    def refuse(self, error: RequestError) -> None:
        """Answer with the message and close the connection."""
        # What is left of the request must not be read as the next one.
        self.close_connection = True
        self.send("text/plain; charset=utf-8", f"{error}\n".encode(), error.status)

    def send(
        self,
        kind: str,
        content: bytes,
        status: HTTPStatus = HTTPStatus.OK,
        cache: str = "no-store",
    ) -> None:
        """Answer with ``content`` of the media type ``kind``."""
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Cache-Control": cache,
            "Content-Security-Policy": "default-src 'self' 'unsafe-inline' data:; "
            "frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
