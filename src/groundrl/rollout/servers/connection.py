"""HTTP with one vLLM server: requests, and what their failures mean."""

import json
from pathlib import Path
from typing import Any, Final

import httpx

from groundrl.api_keys import read_key
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
ABOUT_KEYS: Final = frozenset({401, 403})
"""Statuses that answer a key: missing or wrong, or not of someone who may."""


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

    def __init__(self, url: str, timeout: float, key_variable: str | None = None) -> None:
        """``timeout``: seconds without a byte of the answer. ``key_variable``: the environment
        variable with the server's API key; None: it needs none. Raises UserError for a variable
        without a key."""
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.key_variable = key_variable
        # A new connection for each request: servers may close idle connections at any time, and
        # requests take seconds.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._http = httpx.Client(
            headers={} if key_variable is None else {"Authorization": f"Bearer {self._key()}"},
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
        status, message = response.status_code, self._without_key(response.text)[:500]
        if response.is_server_error or status in BUSY:
            raise ServerUnavailable(f"{path} fails ({status}): {message}")
        raise RequestRefused(self._refusal(path, status, message), path=path, status=status)

    def _refusal(self, path: str, status: int, message: str) -> str:
        """What a server refuses, and what to type."""
        where = f"{self.url}{path} refuses ({status})"
        if self.key_variable is None:
            right_key = "export <NAME>=<its key>, and rollout.key_variable=<NAME>"
        else:
            right_key = f"export {self.key_variable}=<its key>"
        if status == 401:  # the answer may contain parts of the key
            return f"{where}: the key is missing or wrong. Type {right_key}"
        if status == 403:
            return f"{where}: {message}. Where it is the key that may not, type {right_key}"
        return f"{where}: {message}. Start servers with {START_COMMAND}"

    def _read_json(self, path: str, response: httpx.Response) -> Any:
        try:
            return response.json()
        except (ValueError, RecursionError) as error:
            content = self._without_key(response.text)[:80]
            raise ServerUnavailable(f"{path} answers with what is no JSON: {content!r}") from error

    def field(self, path: str, answer: object, name: str, kind: type | tuple[type, ...]) -> Any:
        """A field of an answer; raises ServerUnavailable for an answer that is none of vLLM's."""
        value = answer.get(name) if isinstance(answer, dict) else None
        if not isinstance(value, kind):
            said = self._without_key(str(answer))[:80]
            raise ServerUnavailable(f"{path} answers without {name!r}, unlike vLLM: {said}")
        return value

    def _key(self) -> str | None:
        return None if self.key_variable is None else read_key(self.key_variable, self.url)

    def _without_key(self, text: str) -> str:
        key = self._key()
        return text if key is None else text.replace(key, "***")
