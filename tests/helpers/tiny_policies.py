"""A policy of the real classes that is small enough to train in a test."""

from typing import Any, Literal

import torch
from transformers import PreTrainedTokenizerFast
from world_questions import world_samples

from groundrl.boxes import Frame
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.policy import Policy
from groundrl.pretraining.architecture import build_model, build_processor, build_tokenizer
from groundrl.prompts import PromptTemplate


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Learned from a few questions."""
    return build_tokenizer([sample.question for sample in world_samples(20)], vocab_size=400)


def tiny_policy(
    tokenizer: PreTrainedTokenizerFast,
    adapter: Literal["lora", "qlora", "none", "soft_prompt", "frozen"] | Adapter | None = "lora",
    prefix_sharing: bool = True,
    seed: int = 0,
    **options: Any,
) -> Policy:
    """A random two-layer Qwen3-VL; equal seeds, equal weights."""
    torch.manual_seed(seed)
    model = build_model(tokenizer, width=64, layers=2)
    # Random weights of the usual size give nearly uniform answers, in which mistakes hide.
    for name, parameter in model.named_parameters():
        if "norm" not in name:
            parameter.data.mul_(4)
    if isinstance(adapter, str):
        adapter = Adapter(kind=adapter, rank=4, alpha=8)
    return Policy(
        model=model if adapter is None else adapter.apply(model),
        processor=build_processor(tokenizer),
        template=PromptTemplate(),
        frame=Frame.PERMILLE,
        prefix_sharing=prefix_sharing,
        **options,
    )
