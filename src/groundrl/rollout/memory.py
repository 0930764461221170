"""What a user lowers when a GPU is full."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.rollout.base import Engine
from groundrl.rollout.native import NativeEngine


@contextmanager
def told_when_full(options: Mapping[str, object]) -> Iterator[None]:
    """Inside, a GPU without free memory is a UserError that names what to lower."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        lower = ", ".join(f"{name} (now {value})" for name, value in options.items())
        raise UserError(
            f"out of memory ({error}): lower one of {lower}. tokens_per_forward and "
            "tokens_per_batch change no result and may differ with resume=<run directory>; the "
            "others need a new run"
        ) from error


def pixel_option(policy: Policy) -> dict[str, object]:
    """The option that bounds the tokens of a picture, with its value."""
    limit = getattr(policy.processor.image_processor, "max_pixels", None)
    return {"model.max_pixels": limit}


def batch_option(engine: Engine) -> dict[str, object]:
    """The option that bounds what is decoded together, with its value."""
    if not isinstance(engine, NativeEngine):
        return {}
    return {"rollout.tokens_per_batch": engine.tokens_per_batch}
