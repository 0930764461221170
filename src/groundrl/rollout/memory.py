"""What a user lowers when the memory is full, a GPU's or the machine's."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import pixel_limits
from groundrl.rollout.base import RolloutEngine
from groundrl.rollout.native import NativeEngine

CPU_FULL = re.compile(r"DefaultCPUAllocator: (can't allocate memory|not enough memory)")


@contextmanager
def explain_full_memory(options: Mapping[str, object]) -> Iterator[None]:
    """Inside, a full memory is a UserError that names what to lower."""
    try:
        yield
    except RuntimeError as error:
        if not is_memory_full(error):
            raise
        lower = ", ".join(f"{name} (now {value})" for name, value in options.items())
        raise UserError(
            f"out of memory ({error}): lower one of {lower}. tokens_per_forward and "
            "tokens_per_batch change no result and may differ with resume=<run directory>; the "
            "others need a new run"
        ) from error


def is_memory_full(error: RuntimeError) -> bool:
    """Whether torch found no memory: on a CPU it has no exception of its own for that."""
    return isinstance(error, torch.OutOfMemoryError) or CPU_FULL.search(str(error)) is not None


def pixel_option(policy: Policy) -> dict[str, object]:
    """The option that bounds the tokens of an image, with its value; empty where there is none."""
    limits = pixel_limits(policy.processor)
    return {"model.max_pixels": limits["max_pixels"]} if limits else {}


def batch_option(engine: RolloutEngine) -> dict[str, object]:
    """The option that bounds what is decoded together, with its value."""
    if not isinstance(engine, NativeEngine):
        return {}
    return {"rollout.tokens_per_batch": engine.tokens_per_batch}
