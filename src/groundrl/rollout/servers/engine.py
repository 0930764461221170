"""Rollouts by running vLLM servers, on this machine or others."""

import base64
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Literal
from uuid import uuid4

from PIL import Image

from groundrl.api_keys import key_problems
from groundrl.config_node import ConfigNode
from groundrl.control_tokens import CUT
from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.policy.processor import pixel_limits
from groundrl.policy.prompt import Prompt
from groundrl.rollout.adapter_files import (
    AdapterPublisher,
    served_adapter_problems,
    uncorrected_losses,
)
from groundrl.rollout.base import LoadFeatures, RolloutEngine, SampledTokens, Sampling
from groundrl.rollout.randomness import RolloutSeeds
from groundrl.rollout.servers.answers import read_completions
from groundrl.rollout.servers.client import CHAT, ServerCheck, VLLMClient
from groundrl.rollout.servers.connection import ABOUT_KEYS, START_COMMAND, RequestRefused
from groundrl.rollout.servers.pool import ServerPool, Unanswered
from groundrl.rollout.vllm import sampling_options
from groundrl.running.parallel import from_first


class VLLMServers(RolloutEngine):
    """OpenAI-compatible vLLM servers that share the prompts of a rollout.

    Prompts of a server that fails go to the others, and it gets none until it is healthy again.
    Servers refuse prompts that are too long for them. Adapters are uploaded to servers that take
    uploads (``AdapterUploads``); the others read them from a folder.
    """

    resource_options: ClassVar[frozenset[str]] = frozenset(
        {"urls", "key_variable", "adapter_folder", "concurrency", "retries", "timeout"}
    )

    def __init__(
        self,
        urls: Sequence[str],
        adapter_folder: str,
        key_variable: str | None = None,
        concurrency: int = 16,
        retries: int = 20,
        timeout: float = 600.0,
        prefetch: Literal[0, 1] = 0,
    ) -> None:
        """``adapter_folder``: where adapters are written, and read by servers without uploads.
        ``key_variable``: the environment variable with the servers' API key; None: they need none.
        ``concurrency``: requests at a time to one server. ``retries``: health checks, after 0.5 to
        30 seconds each, until a server is left out: 7 minutes. ``timeout``: seconds without a byte
        of the answer. ``prefetch=1``: prompts of the next step are sent before this step trains.
        Of several processes each has to make its engine, which agree upon a name for the run."""
        if not urls:
            raise UserError(
                "rollout=vllm_server has no server: type 'rollout.urls=[http://<host>:8000]' and "
                f"start it with {START_COMMAND}"
            )
        clients = [VLLMClient(url, timeout, key_variable) for url in urls]
        self.servers = ServerPool(clients, concurrency, retries)
        self.concurrency = concurrency * len(clients)
        """Requests at a time to all servers."""
        self.prefetch: int = prefetch
        self._publish = AdapterPublisher(Path(adapter_folder), run=from_first(lambda: uuid4().hex))

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """A key that is not set; an older policy that samples without importance weights."""
        yield from served_adapter_problems(node)
        yield from key_problems(node)
        if node.options.get("prefetch"):
            for cap in uncorrected_losses(node):
                yield (
                    f"{node.path}.prefetch=1 learns from what an older policy sampled, and nothing "
                    f"corrects for that: type {cap}=2.0, or {node.path}.prefetch=0"
                )

    def take_counts(self) -> dict[str, float]:
        """See ``RolloutEngine``: requests that failed, and answers that could not be used."""
        return self.servers.take_counts()

    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: LoadFeatures,
        seeds: RolloutSeeds,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """See ``RolloutEngine``. All requests are submitted when it returns; the iteration raises
        UserError when no server is left."""
        version = self._publish(policy)
        assert policy.vlm.name_or_path is not None
        check_texts(prompts, seeds.sample_ids)
        check = ServerCheck(
            model=policy.vlm.name_or_path,
            request={
                "messages": messages_with_images(prompts[0]),
                "mm_processor_kwargs": pixel_limits(policy.processor) or None,
            },
            tokens=prompts[0].prefix.tokens.tolist(),
            placeholder=policy.spec.image_token,
        )
        cancelled = threading.Event()

        def request_group(index: int) -> list[SampledTokens]:
            body = request_body(policy, prompts[index], seeds, index, sampling)

            def request(client: VLLMClient) -> list[SampledTokens]:
                answer = client.chat(version, check, body)
                return read_completions(policy, answer, seeds.group_size, sampling.max_tokens)

            sample = f"sample {seeds.sample_ids[index]!r} with max_tokens={sampling.max_tokens}"
            try:
                return self.servers.ask(request, cancelled)
            except RequestRefused as refusal:
                if refusal.path != CHAT or refusal.status in ABOUT_KEYS:
                    raise
                raise UserError(
                    f"{sample}: {refusal}. Where it is too long, lower sampling.max_tokens, or "
                    "model.max_pixels for fewer image tokens, or leave the sample out"
                ) from refusal
            except Unanswered as failures:
                raise UserError(
                    f"{sample} has no usable answer from any server ({failures}): start them with "
                    f"{START_COMMAND}, let them be slower (rollout.timeout=<seconds>), or leave "
                    "the sample out, and go on with resume=<run directory>"
                ) from failures

        self.servers.look_again()
        groups = self._submit(len(prompts), request_group, cancelled)
        next(groups)  # submits all requests
        return groups

    def _submit(
        self,
        count: int,
        request_group: Callable[[int], list[SampledTokens]],
        cancelled: threading.Event,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """Request the group of every index. The first value, -1, means that all requests are
        submitted."""
        pool = ThreadPoolExecutor(self.concurrency)
        futures = {pool.submit(request_group, index): index for index in range(count)}
        try:
            # A generator that has not been started does not run its ``finally`` when closed.
            yield -1, []
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            self.servers.cancel(cancelled)
            pool.shutdown(cancel_futures=True)  # waits for the requests that are running


def check_texts(prompts: Sequence[Prompt], sample_ids: Sequence[str]) -> None:
    """Raises UserError for a sample that holds a control token of the model."""
    for prompt, key in zip(prompts, sample_ids, strict=True):
        texts = [part.get("text", "") for part in prompt.messages[0]["content"]]
        cut = next((text for text in texts if CUT in text), None)
        if cut is not None:
            raise UserError(
                f"sample {key!r} holds a control token of the model ({cut.replace(CUT, '')[:80]!r})"
                ", which a server would not read as text: leave the sample out, or type "
                "rollout=native or rollout=vllm"
            )


def request_body(
    policy: Policy, prompt: Prompt, seeds: RolloutSeeds, index: int, sampling: Sampling
) -> dict[str, Any]:
    """The body of a chat request for a group, without the name of the model."""
    return {
        "messages": messages_with_images(prompt),
        "n": seeds.group_size,
        "seed": seeds.group_seed(index),
        "logprobs": True,
        "return_token_ids": True,
        "mm_processor_kwargs": pixel_limits(policy.processor) or None,
        **sampling_options(policy, sampling),
    }


def messages_with_images(prompt: Prompt) -> list[dict[str, Any]]:
    """The prompt's messages in OpenAI's form, with images as PNG data URLs."""
    images = iter([image_part(image.source.load()) for image in prompt.images])
    return [
        message
        | {"content": [next(images) if x["type"] == "image" else x for x in message["content"]]}
        for message in prompt.messages
    ]


def image_part(image: Image.Image) -> dict[str, Any]:
    """An image as part of a message in OpenAI's form."""
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}
