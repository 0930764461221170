"""What a rollout engine is given and gives back."""

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

from groundrl.config_node import ConfigNode
from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision import VisionFeatures
from groundrl.rollout.randomness import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a token is drawn. ``temperature=0`` takes the likeliest token. Raises UserError for
    values that mean nothing."""

    max_tokens: int = 128
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """0 keeps the whole vocabulary."""
    min_p: float = 0.0

    def __post_init__(self) -> None:
        usable = {
            "max_tokens": (self.max_tokens >= 1, "1 or more"),
            "temperature": (0 <= self.temperature < math.inf, "0 or more"),
            "top_p": (0 < self.top_p <= 1, "above 0, up to 1"),
            "top_k": (self.top_k >= 0, "0 or more"),
            "min_p": (0 <= self.min_p <= 1, "from 0 to 1"),
        }
        wrong = {name: range for name, (fits, range) in usable.items() if not fits}
        if wrong:
            told = ", ".join(f"{k}={getattr(self, k)} (expected {v})" for k, v in wrong.items())
            usual = {field.name: field.default for field in fields(self)}
            typed = " ".join(f"sampling.{name}={usual[name]}" for name in wrong)
            raise UserError(f"tokens cannot be drawn with {told}: type for example {typed}")

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """What the constructor refuses."""
        try:
            cls(**node.options)
        except UserError as error:
            yield str(error).replace("sampling.", f"{node.path}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledTokens:
    """One completion, before it becomes text."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """At the sampling temperature, before top-p, top-k and min-p."""
    truncated: bool


Features = Callable[[], list[VisionFeatures]]
"""Looks at the images of P prompts when it is first called."""


@runtime_checkable
class RolloutEngine(Protocol):
    """Draws G completions for each of P prompts."""

    max_model_len: int | None
    """Tokens of prompt and completion that it has room for; None where only the model limits it."""
    prefetch: int
    """Steps that sampling is ahead of learning: 0, or 1 where groups are drawn while nobody asks
    for them."""

    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: Features,
        draws: Draws,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """Each prompt's number and its group, as soon as that is complete."""
        ...
