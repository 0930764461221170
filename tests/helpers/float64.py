"""Computing in float64 what a model computes in float32, to compare exactly."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _Float64(TorchFunctionMode):
    """Replaces float32 by float64 in every call, of ``Tensor.float`` too."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if func is torch.Tensor.float:
            func = torch.Tensor.double

        def wider(x: Any) -> Any:
            return torch.float64 if x is torch.float32 else x

        return func(*map(wider, args), **{k: wider(x) for k, x in (kwargs or {}).items()})


@contextmanager
def float64() -> Iterator[None]:
    """Inside, new tensors and models are in float64, whatever code asks for float32."""
    torch.set_default_dtype(torch.float64)
    try:
        with _Float64():
            yield
    finally:
        torch.set_default_dtype(torch.float32)
