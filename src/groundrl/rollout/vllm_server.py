"""Running vLLM servers: prompts go to whichever is free, adapters by a folder that all can read."""

import base64
import queue
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Literal

from PIL import Image

from groundrl.config_node import ConfigNode
from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt, pixel_limits
from groundrl.rollout.adapter_files import (
    AdapterPublisher,
    served_adapter_problems,
    uncorrected_losses,
)
from groundrl.rollout.base import Features, SampledTokens, Sampling
from groundrl.rollout.randomness import Draws
from groundrl.rollout.vllm import sampled_tokens, sampling_options
from groundrl.rollout.vllm_client import CHAT, START_COMMAND, Probe, RequestRefused, VLLMClient


class VLLMServers:
    """OpenAI-compatible vLLM servers that share the prompts of a rollout.

    One that fails is waited for a while, then left out with a warning; its prompts go to the
    others.
    """

    resource_options: ClassVar[frozenset[str]] = frozenset({"concurrency", "retries", "timeout"})

    max_model_len: int | None = None  # the servers refuse what is too long for them

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
        ``concurrency``: prompts under way at one server. ``timeout``: seconds for an answer.
        ``prefetch=1``: prompts of the next step are sent before this one learns."""
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
        features: Features,
        draws: Draws,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """Groups as the servers answer; all prompts are on their way when it returns.

        Whoever takes a group gets the UserError that no server is left.
        """
        version = self._publish(policy)
        assert policy.vlm.name_or_path is not None
        probe = Probe(
            model=policy.vlm.name_or_path,
            request={
                "messages": with_images(prompts[0]),
                "mm_processor_kwargs": pixel_limits(policy.processor) or None,
            },
            tokens=prompts[0].prefix.tokens.tolist(),
            stand_in=policy.spec.image_token,
        )

        def ask(server: VLLMClient, index: int) -> list[SampledTokens] | None:
            body = request_body(policy, prompts[index], draws, index, sampling)
            try:
                answer = server.ask(version, probe, body)
            except RequestRefused as refusal:
                if refusal.path != CHAT:
                    raise
                raise UserError(
                    f"sample {draws.sample_ids[index]!r} with max_tokens={sampling.max_tokens}: "
                    f"{refusal}. Where it is too long, lower sampling.max_tokens, or "
                    "model.max_pixels for fewer image tokens, or leave the sample out"
                ) from refusal
            return None if answer is None else read_completions(policy, answer)

        answers = self._shared(len(prompts), ask)
        next(answers)
        return answers

    def _shared(
        self, count: int, ask: Callable[[VLLMClient, int], list[SampledTokens] | None]
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """``ask`` for every index at some server that is alive; what comes first says that all
        are submitted."""
        places: queue.SimpleQueue[VLLMClient] = queue.SimpleQueue()
        for server in self.servers * self.concurrency:
            places.put(server)

        def somewhere(index: int) -> list[SampledTokens]:
            for _ in range(self.retries * len(self.servers) + 1):
                server = self._place(places)
                try:
                    found = ask(server, index)
                finally:
                    places.put(server)
                if found is not None:
                    return found
            failures = "; ".join(f"{server.url}: {server.failure}" for server in self.servers)
            raise UserError(
                f"prompt {index} of this step fails at every server ({failures}): start them with "
                f"{START_COMMAND}, or let them be slower (rollout.timeout=<seconds>)"
            )

        pool = ThreadPoolExecutor(self.concurrency * len(self.servers))
        answers = {pool.submit(somewhere, index): index for index in range(count)}
        try:
            # A generator that never ran would not run its ``finally`` when it is closed.
            yield -1, []
            for answer in as_completed(answers):
                yield answers[answer], answer.result()
        finally:
            pool.shutdown(cancel_futures=True)  # waits for what is under way

    def _place(self, places: "queue.SimpleQueue[VLLMClient]") -> VLLMClient:
        """A free place at a server that is alive; raises UserError when there is none left."""
        while not (server := places.get()).alive:
            if not any(server.alive for server in self.servers):
                places.put(server)  # whoever waits for one is to learn it, too
                raise UserError(
                    "no vLLM server is left: start one again and go on with resume=<run directory>"
                )
        return server


def request_body(
    policy: Policy, prompt: Prompt, draws: Draws, index: int, sampling: Sampling
) -> dict[str, Any]:
    """A chat request for a group; the server knows by which name it has the policy."""
    options = sampling_options(policy, sampling)
    return {
        "messages": with_images(prompt),
        "n": draws.group_size,
        "seed": draws.group_seed(index),
        "logprobs": True,
        "return_token_ids": True,
        "mm_processor_kwargs": pixel_limits(policy.processor) or None,
        **options,
    }


def with_images(prompt: Prompt) -> list[dict[str, Any]]:
    """The prompt's messages in OpenAI's form, the images as PNGs inside."""
    images = iter([image_part(image.source.load()) for image in prompt.images])
    return [
        message
        | {"content": [next(images) if x["type"] == "image" else x for x in message["content"]]}
        for message in prompt.messages
    ]


def image_part(image: Image.Image) -> dict[str, Any]:
    """An image as a part of a message."""
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def read_completions(policy: Policy, answer: dict[str, Any]) -> list[SampledTokens]:
    """The choices of an answer, in order."""
    return [
        sampled_tokens(
            policy,
            choice["token_ids"],
            [token["logprob"] for token in choice["logprobs"]["content"]],
        )
        for choice in sorted(answer["choices"], key=lambda choice: choice["index"])
    ]
