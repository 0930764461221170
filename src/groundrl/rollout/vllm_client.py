"""Client of one running vLLM server: requests, health checks, adapters."""

import json
import math
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from groundrl.errors import UserError
from groundrl.rollout.adapter_files import AdapterVersion

START_COMMAND = (
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve <model.path> --enable-lora "
    "--max-lora-rank <adapter.rank or more> --logprobs-mode processed_logprobs "
    "--trust-request-mm-kwargs"  # images are resized as the policy's processor does
)

FIRST_PAUSE = 0.5
"""Seconds before the first health check of a server that failed; it doubles each time."""
HEALTH_TIMEOUT = 10.0
"""Seconds for a health check."""
CHAT = "/v1/chat/completions"


class ServerUnavailable(Exception):
    """A server did not answer, or not as a healthy one does: the request can be retried."""


class RequestRefused(UserError):
    """A server answers that a request is wrong (4xx)."""

    def __init__(self, message: str, path: str, status: int) -> None:
        super().__init__(message)
        self.path = path
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCheck:
    """What is compared to find out whether a server has the policy's base model and processor."""

    model: str
    """Hub id or folder of the policy's base."""
    request: dict[str, Any]
    """Messages of a prompt, to tokenize."""
    tokens: list[int]
    """Token ids of that prompt under the policy's processor, image tokens included."""
    placeholder: int
    """Id of the image token, which no model generates by itself."""


class VLLMClient:
    """One server, which may restart at any time; its methods can be called by many threads."""

    def __init__(self, url: str, retries: int, timeout: float) -> None:
        """``retries``: health checks until a server that failed is given up; ``timeout``: seconds
        without a byte of the answer."""
        self.url = url.rstrip("/")
        self.retries = retries
        self.timeout = timeout
        self.alive = True
        self.failure = ""
        """The last error."""
        # A new connection for each request: servers may close idle connections at any time, and
        # requests take seconds.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._http = httpx.Client(timeout=timeout, limits=limits, follow_redirects=True)
        self._lock = threading.Lock()
        self._base: str | None = None
        """The server's name of the policy's base; None: the server has not been checked."""
        self._loaded: set[str] = set()
        """Names of adapters that the server has loaded."""

    def chat(
        self, version: AdapterVersion | None, check: ServerCheck, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        """The response to a chat request for an adapter, or for the base (None). None when the
        server failed; it is then healthy again, or no longer ``alive``. Raises UserError when the
        server refuses the request or is not a server of the policy."""
        try:
            try:
                return self._chat(version, check, body)
            except RequestRefused as refusal:
                if refusal.status != httpx.codes.NOT_FOUND:
                    raise
                self._forget()  # the server was restarted between two requests
                return self._chat(version, check, body)
        except ServerUnavailable as error:
            self._forget()
            self._wait_until_healthy(str(error))
            return None

    def _chat(
        self, version: AdapterVersion | None, check: ServerCheck, body: dict[str, Any]
    ) -> dict[str, Any]:
        with self._lock:
            if self._base is None:
                self._base = self._check_server(check)
            if version is not None and version.name not in self._loaded:
                self._load(version)
            model = self._base if version is None else version.name
        return self._request_json(CHAT, {"model": model, **body})

    def _forget(self) -> None:
        """Check the server and load the adapter again before the next request."""
        with self._lock:
            self._base, self._loaded = None, set()

    def _load(self, version: AdapterVersion) -> None:
        """Load the adapter, and unload older ones of the run that are no longer on disk."""
        adapter = {"lora_name": version.name, "lora_path": str(version.folder.absolute())}
        try:
            self._request("/v1/load_lora_adapter", adapter)
        except RequestRefused:
            if version.name not in self._adapters():  # otherwise it was loaded before
                raise
        self._loaded.add(version.name)
        for name in filter(version.supersedes, self._adapters()):
            self._request("/v1/unload_lora_adapter", {"lora_name": name})
            self._loaded.discard(name)

    def _adapters(self) -> list[str]:
        return [model["id"] for model in self._models() if model.get("parent") is not None]

    def _models(self) -> list[dict[str, Any]]:
        return self._request_json("/v1/models", None)["data"]

    def _check_server(self, check: ServerCheck) -> str:
        """The server's name of the policy's base; raises UserError when its model, its tokens or
        its log-probabilities are not the policy's."""
        bases = {
            model.get("root") or model["id"]: model["id"]
            for model in self._models()
            if model.get("parent") is None
        }
        # The server's copy of the model may be in another folder.
        ids = [name for root, name in bases.items() if Path(root).name == Path(check.model).name]
        if not ids:
            raise UserError(
                f"{self.url} serves {', '.join(bases)}, and the policy is {check.model}: start it "
                f"with {START_COMMAND}"
            )
        answer = self._request_json("/tokenize", {"model": ids[0], **check.request})
        if answer["tokens"] != check.tokens:
            raise UserError(
                f"{self.url} reads the first prompt as {len(answer['tokens'])} tokens that are not "
                f"the policy's {len(check.tokens)}: start it with the tokenizer, chat template and "
                f"processor files of {check.model}"
            )
        answer = self._request_json(
            CHAT, {"model": ids[0], **forced_token_request(check.placeholder)}
        )
        (token,) = answer["choices"][0]["logprobs"]["content"]
        if token["logprob"] < math.log(0.5):
            raise UserError(
                f"{self.url} reports log-probabilities from before temperature and bias: start it "
                f"with {START_COMMAND}"
            )
        return ids[0]

    def _wait_until_healthy(self, failure: str) -> None:
        """Check the server's health with growing pauses; after ``retries`` it is not ``alive``."""
        self.failure = failure
        for attempt in range(self.retries):
            time.sleep(FIRST_PAUSE * 2**attempt)
            try:
                self._http.get(f"{self.url}/health", timeout=HEALTH_TIMEOUT).raise_for_status()
            except (httpx.HTTPError, httpx.InvalidURL):
                continue
            return
        with self._lock:
            if self.alive:
                self.alive = False
                warnings.warn(f"{self.url} is left out from now on: {failure}", stacklevel=2)

    def _request_json(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        response = self._request(path, body)
        try:
            return response.json()
        except ValueError as error:
            content = response.content[:80]
            raise ServerUnavailable(f"{path} answers with what is no JSON: {content!r}") from error

    def _request(self, path: str, body: dict[str, Any] | None) -> httpx.Response:
        """POST ``body`` as JSON, or GET without one. Raises ServerUnavailable for errors of the
        connection and of the server (5xx), RequestRefused for 4xx."""
        try:
            response = self._http.request(
                "GET" if body is None else "POST",
                self.url + path,
                content=None if body is None else json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
            )
        except httpx.TimeoutException as error:
            raise ServerUnavailable(f"{path} takes longer than {self.timeout:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerUnavailable(f"{path}: {error}") from error
        if not response.is_error:
            return response
        status, message = response.status_code, response.text[:500]
        if response.is_server_error:
            raise ServerUnavailable(f"{path} fails ({status}): {message}")
        raise RequestRefused(
            f"{self.url}{path} refuses ({status}): {message}. Start servers with {START_COMMAND}",
            path=path,
            status=status,
        )


def forced_token_request(token: int) -> dict[str, Any]:
    """A chat request whose bias forces the answer ``token``: its log-probability is 0, unless the
    server reports log-probabilities from before the bias."""
    return {
        "messages": [{"role": "user", "content": "?"}],
        "max_tokens": 1,
        "temperature": 1.0,
        "logit_bias": {token: 100},
        "logprobs": True,
    }
