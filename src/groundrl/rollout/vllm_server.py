"""Rollouts by running vLLM servers, which get the adapter through a shared folder."""

import base64
import math
import queue
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from PIL import Image

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
from groundrl.rollout.vllm import sampled_tokens, sampling_options
from groundrl.rollout.vllm_client import (
    CHAT,
    START_COMMAND,
    RequestRefused,
    ServerCheck,
    VLLMClient,
)

UNKNOWN_LOGPROB: Final = -9999.0
"""What vLLM's OpenAI-compatible server writes for -inf and NaN."""


class VLLMServers(RolloutEngine):
    """OpenAI-compatible vLLM servers that share the prompts of a rollout.

    After an error a server's health is checked for a while; then it is left out with a warning.
    Its prompts go to the others. Servers refuse prompts that are too long for them.
    """

    resource_options: ClassVar[frozenset[str]] = frozenset({"concurrency", "retries", "timeout"})

    def __init__(
        self,
        urls: Sequence[str],
        adapter_folder: str,
        concurrency: int = 16,
        retries: int = 5,
        timeout: float = 600.0,
        prefetch: Literal[0, 1] = 0,
    ) -> None:
        """``adapter_folder``: where adapters are written, and read by the servers.
        ``concurrency``: requests at a time to one server. ``retries``: health checks until a
        server is left out. ``timeout``: seconds without a byte of the answer. ``prefetch=1``:
        prompts of the next step are sent before this step trains."""
        if not urls:
            raise UserError(
                "rollout=vllm_server has no server: type 'rollout.urls=[http://<host>:8000]' and "
                f"start it with {START_COMMAND}"
            )
        self.servers = [VLLMClient(url, retries, timeout) for url in urls]
        self.concurrency = concurrency
        self.retries = retries
        self.prefetch: int = prefetch
        self._publish = AdapterPublisher(Path(adapter_folder))

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """Importance weights are needed where an older policy has sampled."""
        yield from served_adapter_problems(node)
        if node.options.get("prefetch"):
            for cap in uncorrected_losses(node):
                yield (
                    f"{node.path}.prefetch=1 learns from what an older policy sampled, and nothing "
                    f"corrects for that: type {cap}=2.0, or {node.path}.prefetch=0"
                )

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

        def request_group(server: VLLMClient, index: int) -> list[SampledTokens] | None:
            body = request_body(policy, prompts[index], seeds, index, sampling)
            try:
                answer = server.chat(version, check, body)
            except RequestRefused as refusal:
                if refusal.path != CHAT:
                    raise
                raise UserError(
                    f"sample {seeds.sample_ids[index]!r} with max_tokens={sampling.max_tokens}: "
                    f"{refusal}. Where it is too long, lower sampling.max_tokens, or "
                    "model.max_pixels for fewer image tokens, or leave the sample out"
                ) from refusal
            return None if answer is None else read_completions(policy, answer)

        groups = self._distribute(len(prompts), request_group)
        next(groups)  # submits all requests
        return groups

    def _distribute(
        self, count: int, request_group: Callable[[VLLMClient, int], list[SampledTokens] | None]
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """Request the group of every index from a server that is alive. The first value, -1, means
        that all requests are submitted."""
        slots: queue.SimpleQueue[VLLMClient] = queue.SimpleQueue()
        for server in self.servers * self.concurrency:
            slots.put(server)

        def request_with_retries(index: int) -> list[SampledTokens]:
            for _ in range(self.retries * len(self.servers) + 1):
                server = self._take_slot(slots)
                try:
                    group = request_group(server, index)
                finally:
                    slots.put(server)
                if group is not None:
                    return group
            failures = "; ".join(f"{server.url}: {server.failure}" for server in self.servers)
            raise UserError(
                f"prompt {index} of this step fails at every server ({failures}): start them with "
                f"{START_COMMAND}, or let them be slower (rollout.timeout=<seconds>)"
            )

        pool = ThreadPoolExecutor(self.concurrency * len(self.servers))
        futures = {pool.submit(request_with_retries, index): index for index in range(count)}
        try:
            # A generator that has not been started does not run its ``finally`` when closed.
            yield -1, []
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)  # waits for the requests that are running

    def _take_slot(self, slots: "queue.SimpleQueue[VLLMClient]") -> VLLMClient:
        """A free slot of a server that is alive; raises UserError when no server is."""
        while not (server := slots.get()).alive:
            if not any(server.alive for server in self.servers):
                slots.put(server)  # so that threads that wait for a slot raise the error, too
                raise UserError(
                    "no vLLM server is left: start one again and go on with resume=<run directory>"
                )
        return server


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


def read_completions(policy: Policy, answer: dict[str, Any]) -> list[SampledTokens]:
    """The completions of a chat response, in the order of their indices."""
    return [
        sampled_tokens(
            policy,
            choice["token_ids"],
            [read_logprob(token["logprob"]) for token in choice["logprobs"]["content"]],
        )
        for choice in sorted(answer["choices"], key=lambda choice: choice["index"])
    ]


def read_logprob(value: float) -> float:
    """A log-probability; -inf where the server has put its placeholder for -inf and NaN, which JSON
    cannot hold."""
    return value if value > UNKNOWN_LOGPROB else -math.inf
