"""One running vLLM server: its health, its adapter, and whether it is the policy's."""

import json
import math
import threading
import time
import warnings
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from groundrl.errors import UserError
from groundrl.rollout.adapter_files import Version

START_COMMAND = (
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve <model.path> --enable-lora "
    "--max-lora-rank <adapter.rank or more> --logprobs-mode processed_logprobs "
    "--trust-request-mm-kwargs"  # images are resized as the policy's processor does
)

PAUSE = 0.5
"""Seconds before a server that failed is asked for its health; it doubles each time."""
CHAT = "/v1/chat/completions"
CONNECTION_ERRORS = (OSError, HTTPException)
"""No connection, or an answer that was cut off."""


class ServerUnavailable(Exception):
    """A server did not answer, or not as a healthy one does."""


class RequestRefused(UserError):
    """A server answers that a request is wrong."""

    def __init__(self, message: str, path: str, code: int) -> None:
        super().__init__(message)
        self.path = path
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What shows whether a server speaks for the policy."""

    model: str
    """Hub id or folder of the policy's base."""
    request: dict[str, Any]
    """Messages to tokenize."""
    tokens: list[int]
    """As the policy reads them, image tokens included."""
    stand_in: int
    """A token that stands for pixels, which no model writes of its own."""


class VLLMClient:
    """One server, which may be started anew at any time; many threads may ask it at once."""

    def __init__(self, url: str, retries: int, timeout: float) -> None:
        self.url = url.rstrip("/")
        self.retries = retries
        self.timeout = timeout
        self.alive = True
        self.failure = ""
        """What went wrong last."""
        self._lock = threading.Lock()
        self._base: str | None = None
        """By which name it has the policy's base; None before that was asked."""
        self._loaded: set[str] = set()
        """Adapters that it is known to have."""

    def ask(
        self, version: Version | None, probe: Probe, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        """The answer to a chat request under an adapter, or of the base; None when the server
        failed, and then it is either back or no longer ``alive``. Raises UserError when it
        refuses."""
        try:
            try:
                return self._chat(version, probe, body)
            except RequestRefused as refusal:
                if refusal.code != HTTPStatus.NOT_FOUND:
                    raise
                self._forget()  # it was started anew while nobody asked
                return self._chat(version, probe, body)
        except ServerUnavailable as error:
            self._forget()
            self._wait(str(error))
            return None

    def _chat(self, version: Version | None, probe: Probe, body: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self._base is None:
                self._base = self._checked(probe)
            if version is not None and version.name not in self._loaded:
                self._load(version)
            model = self._base if version is None else version.name
        return self._read(CHAT, {"model": model, **body})

    def _forget(self) -> None:
        with self._lock:
            self._base, self._loaded = None, set()

    def _load(self, version: Version) -> None:
        """The server has this adapter afterwards, and of the run's older ones those on disk."""
        adapter = {"lora_name": version.name, "lora_path": str(version.folder.absolute())}
        try:
            self._send("/v1/load_lora_adapter", adapter)
        except RequestRefused:
            if version.name not in self._adapters():  # it has it already, or it cannot have it
                raise
        self._loaded.add(version.name)
        for name in filter(version.outdates, self._adapters()):
            self._send("/v1/unload_lora_adapter", {"lora_name": name})
            self._loaded.discard(name)

    def _adapters(self) -> list[str]:
        return [model["id"] for model in self._models() if model.get("parent") is not None]

    def _models(self) -> list[dict[str, Any]]:
        return self._read("/v1/models", None)["data"]

    def _checked(self, probe: Probe) -> str:
        """The name of the policy's base; raises UserError when it, its tokens or its
        log-probabilities are not the policy's."""
        bases = {
            model.get("root") or model["id"]: model["id"]
            for model in self._models()
            if model.get("parent") is None
        }
        # A server may have its copy of the model in another place.
        ids = [name for root, name in bases.items() if Path(root).name == Path(probe.model).name]
        if not ids:
            raise UserError(
                f"{self.url} serves {', '.join(bases)}, and the policy is {probe.model}: start it "
                f"with {START_COMMAND}"
            )
        answer = self._read("/tokenize", {"model": ids[0], **probe.request})
        if answer["tokens"] != probe.tokens:
            raise UserError(
                f"{self.url} reads the first prompt as {len(answer['tokens'])} tokens that are not "
                f"the policy's {len(probe.tokens)}: start it with the tokenizer, chat template and "
                f"processor files of {probe.model}"
            )
        answer = self._read(CHAT, {"model": ids[0], **certain_token(probe.stand_in)})
        (token,) = answer["choices"][0]["logprobs"]["content"]
        if token["logprob"] < math.log(0.5):
            raise UserError(
                f"{self.url} reports log-probabilities from before temperature and bias: start it "
                f"with {START_COMMAND}"
            )
        return ids[0]

    def _wait(self, failure: str) -> None:
        """Ask for its health, each time after a longer pause."""
        self.failure = failure
        for attempt in range(self.retries):
            time.sleep(PAUSE * 2**attempt)
            try:
                with urlopen(f"{self.url}/health", timeout=10):
                    return
            except CONNECTION_ERRORS:
                continue
        with self._lock:
            if self.alive:
                self.alive = False
                warnings.warn(f"{self.url} is left out from now on: {failure}", stacklevel=2)

    def _read(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        content = self._send(path, body)
        try:
            return json.loads(content)
        except ValueError as error:
            raise ServerUnavailable(
                f"{path} answers with what is no JSON: {content[:80]!r}"
            ) from error

    def _send(self, path: str, body: dict[str, Any] | None) -> bytes:
        """POST, or GET without a body."""
        code, content = self._exchanged(path, body)
        if code < HTTPStatus.BAD_REQUEST:
            return content
        message = content.decode(errors="replace")[:500]
        if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ServerUnavailable(f"{path} fails ({code}): {message}")
        raise RequestRefused(
            f"{self.url}{path} refuses ({code}): {message}. Start servers with {START_COMMAND}",
            path=path,
            code=code,
        )

    def _exchanged(self, path: str, body: dict[str, Any] | None) -> tuple[int, bytes]:
        request = Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            try:
                with urlopen(request, timeout=self.timeout) as answer:
                    return answer.status, answer.read()
            except HTTPError as error:
                return error.code, error.read()
        except TimeoutError as error:
            raise ServerUnavailable(f"{path} takes longer than {self.timeout:g} s") from error
        except CONNECTION_ERRORS as error:
            raise ServerUnavailable(f"{path}: {error}") from error


def certain_token(token: int) -> dict[str, Any]:
    """A chat request that nothing but ``token`` answers: with a log-probability of 0, unless that
    is from before the bias."""
    return {
        "messages": [{"role": "user", "content": "?"}],
        "max_tokens": 1,
        "temperature": 1.0,
        "logit_bias": {token: 100},
        "logprobs": True,
    }
