"""Running vLLM servers: prompts go to whichever is free, adapters by a folder that all can read."""

import base64
import json
import queue
import threading
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from PIL import Image

from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt, pixel_limits
from groundrl.rollout.base import Drawn, Features, Sampling
from groundrl.rollout.published import PublishedAdapter, Version
from groundrl.rollout.randomness import Draws
from groundrl.rollout.vllm import drawn, sampling_options

START = (
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve <model.path> --enable-lora "
    "--max-lora-rank <adapter.rank or more> --logprobs-mode processed_logprobs "
    "--trust-request-mm-kwargs"  # pictures are resized as the policy's processor does
)


PAUSE = 0.5
"""Seconds before a server that failed is asked for its health; it doubles each time."""


class ServerGone(Exception):
    """A server did not answer, or not as a healthy one does."""


class Server:
    """One server and what it has loaded; many threads may ask it at once."""

    def __init__(self, url: str, retries: int, timeout: float) -> None:
        self.url = url.rstrip("/")
        self.retries = retries
        self.timeout = timeout
        self.alive = True
        self._lock = threading.Lock()
        self._lives = 0
        self._loaded: list[str] = []

    def ask(self, version: Version, body: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a chat request under an adapter; None when the server failed, and then it
        is either back or no longer ``alive``. Raises UserError when it refuses."""
        life = self._lives
        try:
            self._load(version)
            return json.loads(self._post("/v1/chat/completions", body))
        except ServerGone as error:
            self._wait(life, error)
            return None

    def _load(self, version: Version) -> None:
        with self._lock:
            if version.name in self._loaded:
                return
            adapter = {"lora_name": version.name, "lora_path": str(version.folder.absolute())}
            self._post("/v1/load_lora_adapter", adapter)
            for name in self._loaded:
                self._post("/v1/unload_lora_adapter", {"lora_name": name})
            self._loaded = [version.name]

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
                        self._loaded = []  # it may have been started anew
                        return
                except OSError:
                    continue
            self.alive = False
            warnings.warn(f"{self.url} is left out from now on: {error}", stacklevel=2)

    def _post(self, path: str, body: dict[str, Any]) -> bytes:
        request = Request(
            self.url + path,
            data=json.dumps(body).encode(),
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


class VLLMServers:
    """OpenAI-compatible vLLM servers that share the prompts of a rollout.

    One that fails is waited for a while, then left out with a warning; its prompts go to the
    others.
    """

    max_model_len: int | None = None  # the servers refuse what is too long for them

    def __init__(
        self,
        urls: Sequence[str],
        adapter_folder: str,
        concurrency: int = 16,
        retries: int = 5,
        timeout: float = 600.0,
    ) -> None:
        """``adapter_folder``: where adapters are written, and read by the servers.
        ``concurrency``: prompts under way at one server. ``timeout``: seconds for an answer."""
        if not urls:
            raise UserError(
                "rollout=vllm_server has no server: type 'rollout.urls=[http://<host>:8000]' and "
                f"start it with {START}"
            )
        self.servers = [Server(url, retries, timeout) for url in urls]
        self.concurrency = concurrency
        self.retries = retries
        self._publish = PublishedAdapter(Path(adapter_folder))

    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: Features,
        draws: Draws,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[Drawn]]]:
        """Groups as the servers answer; raises UserError when none of them is left."""
        version = self._publish(policy)

        def ask(server: Server, index: int) -> list[Drawn] | None:
            body = request_body(policy, prompts[index], draws, index, sampling, version.name)
            answer = server.ask(version, body)
            return None if answer is None else completions(policy, answer)

        yield from self._shared(len(prompts), ask)

    def _shared(
        self, count: int, ask: Callable[[Server, int], list[Drawn] | None]
    ) -> Generator[tuple[int, list[Drawn]]]:
        """``ask`` for every index at some server that is alive."""
        places: queue.SimpleQueue[Server] = queue.SimpleQueue()
        for server in self.servers * self.concurrency:
            places.put(server)

        def somewhere(index: int) -> list[Drawn]:
            for _ in range(self.retries * len(self.servers) + 1):
                server = self._place(places)
                try:
                    found = ask(server, index)
                finally:
                    places.put(server)
                if found is not None:
                    return found
            raise UserError(f"prompt {index} of this step fails at every server")

        pool = ThreadPoolExecutor(self.concurrency * len(self.servers))
        answers = {pool.submit(somewhere, index): index for index in range(count)}
        try:
            for answer in as_completed(answers):
                yield answers[answer], answer.result()
        finally:
            pool.shutdown(cancel_futures=True)  # waits for what is under way

    def _place(self, places: "queue.SimpleQueue[Server]") -> Server:
        """A free place at a server that is alive; raises UserError when there is none left."""
        while not (server := places.get()).alive:
            if not any(server.alive for server in self.servers):
                places.put(server)  # whoever waits for one is to learn it, too
                raise UserError(
                    "no vLLM server is left: start one again and go on with resume=<run directory>"
                )
        return server


def request_body(
    policy: Policy, prompt: Prompt, draws: Draws, index: int, sampling: Sampling, model: str
) -> dict[str, Any]:
    """A chat request for a group."""
    options = sampling_options(policy, sampling)
    return {
        "model": model,
        "messages": with_pictures(prompt),
        "n": draws.group_size,
        "seed": draws.group_seed(index),
        "logprobs": True,
        "return_token_ids": True,
        "mm_processor_kwargs": pixel_limits(policy.processor) or None,
        **options,
    }


def with_pictures(prompt: Prompt) -> list[dict[str, Any]]:
    """The prompt's messages in OpenAI's form, the pictures as PNGs inside."""
    pictures = iter([as_part(image.source.load()) for image in prompt.images])
    return [
        message
        | {"content": [next(pictures) if x["type"] == "image" else x for x in message["content"]]}
        for message in prompt.messages
    ]


def as_part(picture: Image.Image) -> dict[str, Any]:
    """A picture as a part of a message."""
    buffer = BytesIO()
    picture.save(buffer, format="PNG")
    url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def completions(policy: Policy, answer: dict[str, Any]) -> list[Drawn]:
    """The choices of an answer, in order."""
    return [
        drawn(
            policy,
            choice["token_ids"],
            [token["logprob"] for token in choice["logprobs"]["content"]],
        )
        for choice in sorted(answer["choices"], key=lambda choice: choice["index"])
    ]
