"""HTTP with one vLLM server: requests, and what their failures mean."""

import json
from pathlib import Path
from typing import Any, Final

import httpx

from groundrl.errors import UserError

START_COMMAND: Final = (
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve <model.path> --enable-lora "
    "--max-lora-rank <adapter.rank or more> --logprobs-mode processed_logprobs "
    "--trust-request-mm-kwargs"  # images are resized as the policy's processor does
)
SHORT_TIMEOUT: Final = 10.0
"""Seconds for what is quick at any load: a connection, a health check."""
BUSY: Final = frozenset({408, 425, 429})
"""Statuses below 500 that proxies answer with while a server cannot."""


class ServerUnavailable(Exception):
    """A server did not answer, or not as a healthy one does: the request can be retried."""


class ServerSlow(ServerUnavailable):
    """A server did not answer in time."""


class RequestRefused(UserError):
    """A server answers that a request is wrong (4xx)."""

    def __init__(self, message: str, path: str, status: int) -> None:
        super().__init__(message)
        self.path = path
        self.status = status


class VLLMConnection:
    """The address of a server; its methods can be called by many threads."""

    def __init__(self, url: str, timeout: float) -> None:
        """``timeout``: seconds without a byte of the answer."""
        self.url = url.rstrip("/")
        self.timeout = timeout
        # A new connection for each request: servers may close idle connections at any time, and
        # requests take seconds.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=min(timeout, SHORT_TIMEOUT)),
            limits=limits,
            follow_redirects=True,
        )

    def is_healthy(self) -> bool:
        """Whether the server says so."""
        try:
            response = self._http.get(f"{self.url}/health", timeout=SHORT_TIMEOUT)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return response.is_success

    def get(self, path: str) -> Any:
        """The JSON at ``path``; raises as ``post`` does."""
        return self._read_json(path, self._request("GET", path))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON that answers ``body``. Raises ServerUnavailable for errors of the connection and
        of the server (5xx) and for what is no JSON, RequestRefused for 4xx."""
        return self._read_json(path, self.order(path, body))

    def order(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """The answer to ``body``, of whatever kind; raises as ``post`` does."""
        return self._request("POST", path, json.dumps(body).encode())

    def put_file(self, path: str, file: Path) -> Any:
        """The JSON that answers the content of ``file``; raises as ``post`` does."""
        with file.open("rb") as content:
            return self._read_json(path, self._request("PUT", path, content))

    def _request(self, method: str, path: str, content: Any = None) -> httpx.Response:
        kind = {"Content-Type": "application/json"} if method == "POST" else {}
        try:
            response = self._http.request(method, self.url + path, content=content, headers=kind)
        except httpx.ConnectTimeout as error:
            raise ServerUnavailable(f"{path}: no connection within {SHORT_TIMEOUT:g} s") from error
        except httpx.TimeoutException as error:
            raise ServerSlow(
                f"{path} takes longer than rollout.timeout={self.timeout:g} s"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerUnavailable(f"{path}: {error}") from error
        if not response.is_error:
            return response
        status, message = response.status_code, response.text[:500]
        if response.is_server_error or status in BUSY:
            raise ServerUnavailable(f"{path} fails ({status}): {message}")
        raise RequestRefused(
            f"{self.url}{path} refuses ({status}): {message}. Start servers with {START_COMMAND}",
            path=path,
            status=status,
        )

    def _read_json(self, path: str, response: httpx.Response) -> Any:
        try:
            return response.json()
        except (ValueError, RecursionError) as error:
            content = response.content[:80]
            raise ServerUnavailable(f"{path} answers with what is no JSON: {content!r}") from error
