"""What a GRPO step must cost: operations and bytes that no exact way can avoid."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel
from work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Floating-point operations (a multiplication and an addition are two), and bytes moved."""

    flops: float
    bytes: float

    def seconds(self, peak: "Peak") -> float:
        """At the peak of whichever limits."""
        return max(self.flops / peak.flops, self.bytes / peak.bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What the machine reaches, each per second."""

    flops: float
    bytes: float


def measured_peak(device: str, dtype: torch.dtype) -> Peak:
    """A large matrix product and a large copy, the best of several."""
    side = 1024 if device == "cpu" else 8192
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    source = torch.zeros(side * side * 32, device=device)
    target = torch.empty_like(source)
    return Peak(
        flops=2 * side**3 / _fastest(lambda: a @ b, device),
        bytes=2 * source.nbytes / _fastest(lambda: target.copy_(source), device),
    )


def _fastest(action: Callable[[], object], device: str) -> float:
    def once() -> float:
        start = time.perf_counter()
        action()
        if device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    return min(once() for _ in range(10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of a model that costs depend on."""

    linear: int
    """Weights of the language layers."""
    adapter: int
    """Weights of the adapters on them."""
    head: int
    """Weights of the output head."""
    attention: int
    """Operations for one pair of tokens that see each other, in all layers."""
    past: int
    """Bytes of keys and values for a token, in all layers."""
    weight_bytes: int
    """Of one weight."""
    tower: int
    """Weights of the vision tower, which sees four patches for each image token."""


def shape_of(vlm: PreTrainedModel, language: nn.Module, tower: nn.Module) -> Shape:
    """Read off a model, its adapters included."""
    text = vlm.config.get_text_config()
    weights = {n: p.numel() for n, p in language.named_parameters() if "embed_tokens" not in n}
    adapter = sum(size for name, size in weights.items() if "lora_" in name)
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    weight_bytes = next(language.parameters()).element_size()
    layers = text.num_hidden_layers
    return Shape(
        linear=sum(weights.values()) - adapter,
        adapter=adapter,
        head=text.vocab_size * text.hidden_size,
        attention=4 * text.num_attention_heads * width * layers,
        past=2 * text.num_key_value_heads * width * layers * weight_bytes,
        weight_bytes=weight_bytes,
        tower=sum(p.numel() for p in tower.parameters()),
    )


def rollout_cost(shape: Shape, work: Work) -> Cost:
    """The tower once per image, the prompt once per group, then one token of each completion
    after the other: every step reads all weights, each prompt's keys and values, and those of the
    completions so far."""
    prefixes = work.prompts * work.prompt
    drawn = work.prompts * work.group * work.completion
    dense = 2 * (shape.linear + shape.adapter)
    own = work.prompts * work.group * work.completion / 2
    read = shape.weight_bytes * (shape.linear + shape.adapter + shape.head)
    read += shape.past * (prefixes + own)
    flops = 2 * shape.tower * 4 * work.prompts * work.image_tokens
    flops += dense * (prefixes + drawn) + 2 * shape.head * drawn
    flops += shape.attention * _pairs(work)
    return Cost(flops=flops, bytes=read * work.completion)


def update_cost(shape: Shape, work: Work) -> Cost:
    """Reference and policy forward, and backward: to the adapters' weights, and through the frozen
    ones to what lies below. Weights are read once for each of the three."""
    prefixes = work.prompts * work.prompt
    drawn = work.prompts * work.group * work.completion
    forward = 2 * shape.linear * (prefixes + drawn) + 2 * shape.head * drawn
    forward += shape.attention * _pairs(work)
    adapters = 2 * shape.adapter * (prefixes + drawn)
    # Attention's backward pass has five products of its size where the forward pass has two.
    backward = forward + 1.5 * shape.attention * _pairs(work) + 2 * adapters
    read = shape.weight_bytes * (shape.linear + shape.head) * 3
    return Cost(flops=2 * forward + adapters + backward, bytes=read)


def _pairs(work: Work) -> float:
    """Pairs of tokens that see each other: within prompts, and from completions to both."""
    completion = work.completion * (work.prompt + work.completion / 2)
    return work.prompts * (work.prompt**2 / 2 + work.group * completion)
