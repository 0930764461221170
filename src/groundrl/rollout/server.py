"""One running vLLM server: its health, its adapter, and whether it is the policy's."""

import json
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from groundrl.errors import UserError
from groundrl.rollout.published import Version

START = (
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve <model.path> --enable-lora "
    "--max-lora-rank <adapter.rank or more> --logprobs-mode processed_logprobs "
    "--trust-request-mm-kwargs"  # pictures are resized as the policy's processor does
)


PAUSE = 0.5
"""Seconds before a server that failed is asked for its health; it doubles each time."""


class ServerGone(Exception):
    """A server did not answer, or not as a healthy one does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What shows whether a server speaks for the policy."""

    model: str
    """Hub id or folder of the policy's base."""
    request: dict[str, Any]
    """Messages to tokenize."""
    tokens: list[int]
    """As the policy reads them, image tokens included."""


class Server:
    """One server and what it has loaded; many threads may ask it at once."""

    def __init__(self, url: str, retries: int, timeout: float) -> None:
        self.url = url.rstrip("/")
        self.retries = retries
        self.timeout = timeout
        self.alive = True
        self._lock = threading.Lock()
        self._lives = 0
        self._base: str | None = None
        """By which name it has the policy's base; None before that was asked."""
        self._loaded: list[str] = []

    def ask(
        self, version: Version | None, probe: Probe, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        """The answer to a chat request under an adapter, or of the base; None when the server
        failed, and then it is either back or no longer ``alive``. Raises UserError when it
        refuses."""
        life = self._lives
        try:
            model = self._load(version, probe)
            return json.loads(self._send("/v1/chat/completions", {"model": model, **body}))
        except ServerGone as error:
            self._wait(life, error)
            return None

    def _load(self, version: Version | None, probe: Probe) -> str:
        """The name to ask for."""
        with self._lock:
            if self._base is None:
                self._base = self._checked(probe)
            if version is None:
                return self._base
            if version.name in self._loaded:
                return version.name
            adapter = {"lora_name": version.name, "lora_path": str(version.folder.absolute())}
            self._send("/v1/load_lora_adapter", adapter)
            for name in self._loaded:
                self._send("/v1/unload_lora_adapter", {"lora_name": name})
            self._loaded = [version.name]
            return version.name

    def _checked(self, probe: Probe) -> str:
        """The name of the policy's base; raises UserError when it or its tokens are not the
        policy's."""
        served = json.loads(self._send("/v1/models", None))["data"]
        bases = {base["root"]: base["id"] for base in served if base["parent"] is None}
        # A server may have its copy of the model in another place.
        ids = [name for root, name in bases.items() if Path(root).name == Path(probe.model).name]
        if not ids:
            raise UserError(
                f"{self.url} serves {', '.join(bases)}, and the policy is {probe.model}: start it "
                f"with {START}"
            )
        answer = json.loads(self._send("/tokenize", {"model": ids[0], **probe.request}))
        if answer["tokens"] != probe.tokens:
            raise UserError(
                f"{self.url} reads the first prompt as {len(answer['tokens'])} tokens that are not "
                f"the policy's {len(probe.tokens)}: start it with the tokenizer, chat template and "
                f"processor files of {probe.model}"
            )
        return ids[0]

    def _wait(self, life: int, error: ServerGone) -> None:
        """Ask for its health, each time after a longer pause."""
        with self._lock:
            if not self.alive or life != self._lives:  # another thread has done so
                return
            for attempt in range(self.retries):
                time.sleep(PAUSE * 2**attempt)
                try:
                    with urlopen(f"{self.url}/health", timeout=10):
                        self._lives += 1
                        self._base, self._loaded = None, []  # it may have been started anew
                        return
                except OSError:
                    continue
            self.alive = False
            warnings.warn(f"{self.url} is left out from now on: {error}", stacklevel=2)

    def _send(self, path: str, body: dict[str, Any] | None) -> bytes:
        """POST, or GET without a body."""
        request = Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=self.timeout) as answer:
                return answer.read()
        except HTTPError as error:
            message = error.read().decode(errors="replace")[:500]
            if error.code >= 500:
                raise ServerGone(f"{error.code} {message}") from error
            raise UserError(
                f"{self.url}{path} refuses ({error.code}): {message}. Start servers with {START}"
            ) from error
        except OSError as error:
            raise ServerGone(str(error)) from error
