"""Errors about full memory, of a GPU or of the machine, that name the options to lower."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.policy.processor import pixel_limits

CPU_FULL = re.compile(r"DefaultCPUAllocator: (can't allocate memory|not enough memory)")


@contextmanager
def explain_full_memory(options: Mapping[str, object]) -> Iterator[None]:
    """Inside, running out of memory raises a UserError that names ``options`` with their values."""
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
    """Whether torch ran out of memory; for a CPU it has no own exception class."""
    return isinstance(error, torch.OutOfMemoryError) or CPU_FULL.search(str(error)) is not None


def pixel_option(policy: Policy) -> dict[str, object]:
    """The option that bounds the tokens of an image, with its value; empty where there is none."""
    limits = pixel_limits(policy.processor)
    return {"model.max_pixels": limits["max_pixels"]} if limits else {}
