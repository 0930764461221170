"""Client of one running vLLM server: what it serves, adapters, chat requests."""

import logging
import math
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from groundrl.errors import UserError
from groundrl.rollout.adapter_files import AdapterVersion
from groundrl.rollout.servers.adapter_uploads import FILES, PREFIX
from groundrl.rollout.servers.connection import (
    START_COMMAND,
    RequestRefused,
    ServerUnavailable,
    VLLMConnection,
)

logger = logging.getLogger(__name__)

CHAT = "/v1/chat/completions"
LOAD = "/v1/load_lora_adapter"
UNLOAD = "/v1/unload_lora_adapter"
MODELS = "/v1/models"
TOKENIZE = "/tokenize"
NO_UPLOADS = frozenset({httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED})
"""Answers of a server without ``AdapterUploads``."""


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

    def __init__(self, url: str, timeout: float, key_variable: str | None = None) -> None:
        """As ``VLLMConnection``."""
        self._server = VLLMConnection(url, timeout, key_variable)
        self.url = self._server.url
        self._lock = threading.Lock()
        self._base: str | None = None
        """The server's name of the policy's base; None: the server has not been checked."""
        self._loaded: set[str] = set()
        """Names of adapters that the server has loaded."""
        self._doubtful: set[str] = set()
        """Those that it had when it failed, maybe because their files were gone."""
        self._failed: list[str] = []
        """Why it could not be prepared, each time."""
        self._staying: set[str] = set()
        """Names of old adapters that it does not unload."""

    def is_healthy(self) -> bool:
        """Whether the server says so."""
        return self._server.is_healthy()

    def chat(
        self, version: AdapterVersion | None, check: ServerCheck, body: dict[str, Any]
    ) -> object:
        """The response to a chat request for an adapter, or for the base (None). Raises
        ServerUnavailable when the server failed, and UserError when it refuses the request or is
        not a server of the policy."""
        try:
            try:
                return self._chat(version, check, body)
            except RequestRefused as refusal:
                if refusal.status != httpx.codes.NOT_FOUND:
                    raise
                self._forget()  # the server was restarted between two requests
                return self._chat(version, check, body)
        except ServerUnavailable:
            self._forget()
            raise

    def _chat(
        self, version: AdapterVersion | None, check: ServerCheck, body: dict[str, Any]
    ) -> object:
        model = self._prepare(version, check)
        return self._server.post(CHAT, {"model": model, **body})

    def _prepare(self, version: AdapterVersion | None, check: ServerCheck) -> str:
        """Check the server and load the adapter, unless that is done; the name to ask for."""
        known = len(self._failed)
        with self._lock:
            if len(self._failed) > known:  # while this thread waited; it does not wait once more
                raise ServerUnavailable(self._failed[-1])
            try:
                if self._base is None:
                    self._base = self._check_server(check)
                if version is not None and version.name not in self._loaded:
                    self._load(version)
            except ServerUnavailable as error:
                self._failed.append(str(error))
                raise
            return self._base if version is None else version.name

    def _forget(self) -> None:
        """Check the server and load the adapter again before the next request."""
        with self._lock:
            self._doubtful |= self._loaded
            self._base, self._loaded = None, set()

    def _load(self, version: AdapterVersion) -> None:
        """Load the adapter, unless another process of the run has, and unload older ones of the run
        that are no longer on disk."""
        adapters = self._adapters()
        if version.name not in adapters or version.name in self._doubtful:
            self._send(version)
        self._doubtful.discard(version.name)
        self._loaded.add(version.name)
        for name in version.superseded.intersection(adapters) - self._staying:
            self._unload(name)

    def _unload(self, name: str) -> None:
        """Unload an adapter; an old one that stays loaded costs memory of the server only."""
        self._loaded.discard(name)
        try:
            self._server.order(UNLOAD, {"lora_name": name})
        except RequestRefused as refusal:
            if name not in self._adapters():  # another process of the run was first
                return
            if not self._staying:
                logger.warning("%s (old adapters stay loaded; this is told once)", refusal)
            self._staying.add(name)

    def _send(self, version: AdapterVersion) -> None:
        """Upload the adapter where the server takes uploads, and have it loaded."""
        uploaded = self._upload(version)
        folder = str(version.folder.absolute()) if uploaded is None else uploaded
        try:
            self._server.order(LOAD, {"lora_name": version.name, "lora_path": folder})
        except RequestRefused as refusal:
            if version.name not in self._adapters():  # otherwise it was loaded before
                if refusal.status == httpx.codes.NOT_FOUND and uploaded is None:
                    raise UserError(
                        f"{self.url} cannot read the adapter in {folder}, or loads none: start it "
                        f"with {START_COMMAND}, and with --middleware groundrl.rollout.servers."
                        "adapter_uploads.AdapterUploads; or type rollout.adapter_folder=<a folder "
                        "that it has, too>"
                    ) from refusal
                raise

    def _upload(self, version: AdapterVersion) -> str | None:
        """The server's folder with its copy of the adapter; None for a server that takes none and
        has to read ours."""
        answer: Any = None
        for file in FILES:
            path = f"{PREFIX}{version.name}/{file}"
            try:
                answer = self._server.put_file(path, version.folder / file)
            except RequestRefused as refusal:
                if refusal.status in NO_UPLOADS:
                    return None
                raise
        return str(self._server.field(PREFIX, answer, "folder", str))

    def _adapters(self) -> list[str]:
        return [model["id"] for model in self._models() if model.get("parent") is not None]

    def _models(self) -> list[dict[str, Any]]:
        models = self._server.field(MODELS, self._server.get(MODELS), "data", list)
        for model in models:
            self._server.field(MODELS, model, "id", str)
        return models

    def _check_server(self, check: ServerCheck) -> str:
        """The server's name of the policy's base; raises UserError when its model, its tokens or
        its log-probabilities are not the policy's."""
        bases = {
            str(model.get("root") or model["id"]): model["id"]
            for model in self._models()
            if model.get("parent") is None
        }
        # The server's copy of the model may be in another folder.
        ids = [name for root, name in bases.items() if Path(root).name == Path(check.model).name]
        if not ids:
            raise UserError(
                f"{self.url} serves {', '.join(bases) or 'no model'}, and the policy is "
                f"{check.model}: start it with {START_COMMAND}"
            )
        answer = self._server.post(TOKENIZE, {"model": ids[0], **check.request})
        tokens = self._server.field(TOKENIZE, answer, "tokens", list)
        if tokens != check.tokens:
            raise UserError(
                f"{self.url} reads the first prompt as {len(tokens)} tokens that are not "
                f"the policy's {len(check.tokens)}: start it with the tokenizer, chat template and "
                f"processor files of {check.model}"
            )
        answer = self._server.post(
            CHAT, {"model": ids[0], **forced_token_request(check.placeholder)}
        )
        if self._forced_logprob(answer) < math.log(0.5):
            raise UserError(
                f"{self.url} reports log-probabilities from before temperature and bias: start it "
                f"with {START_COMMAND}"
            )
        return ids[0]

    def _forced_logprob(self, answer: object) -> float:
        """The log-probability in the answer to ``forced_token_request``."""
        field = partial(self._server.field, CHAT)
        for choice in field(answer, "choices", list)[:1]:
            for token in field(field(choice, "logprobs", dict), "content", list)[:1]:
                return float(field(token, "logprob", (int, float)))
        raise ServerUnavailable(f"{CHAT} answers without a token")


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
