"""Models that run out of memory above a size."""

from collections.abc import Sized
from typing import Any, cast

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle


def fill_above(size: int, tried: list[int], found: int) -> None:
    """Raise torch's error where ``found`` is more than ``size``; ``tried`` remembers it."""
    tried.append(found)
    if found > size:
        raise torch.OutOfMemoryError("tried to allocate 2 GiB")


def limit_forward(decoder: nn.Module, tokens: int) -> list[int]:
    """A language model whose forward pass has room for so many tokens, padding included. Returns
    the tokens of each pass, which grow."""
    tried: list[int] = []

    def look(_: object, __: object, options: dict[str, Any]) -> None:
        fill_above(tokens, tried, options["inputs_embeds"].shape[:2].numel())

    decoder.register_forward_pre_hook(look, with_kwargs=True)
    return tried


def limit_backward(decoder: Any, tokens: int) -> list[int]:
    """The same in the middle of the backward pass: the second of two layers has its gradient, the
    first has none."""
    tried: list[int] = []

    def look(_: object, gradients: tuple[torch.Tensor, ...]) -> None:
        fill_above(tokens, tried, gradients[0].shape[:2].numel())

    decoder.layers[0].mlp.register_full_backward_pre_hook(look)
    return tried


def limit_inputs(module: nn.Module, rows: int) -> tuple[list[int], RemovableHandle]:
    """A module whose first input may have so many rows; the rows tried, and the hook."""
    tried: list[int] = []

    def look(_: object, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        found = inputs[0] if inputs else options.get("pixel_values", options.get("input_ids"))
        fill_above(rows, tried, len(cast(Sized, found)))

    return tried, module.register_forward_pre_hook(look, with_kwargs=True)
