"""What a rollout engine is given and gives back."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision import VisionFeatures
from groundrl.rollout.randomness import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a token is drawn. ``temperature=0`` takes the likeliest token."""

    max_tokens: int = 128
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """0 keeps the whole vocabulary."""
    min_p: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One completion, before it becomes text."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """At the sampling temperature, before top-p, top-k and min-p."""
    truncated: bool


Features = Callable[[], list[VisionFeatures]]
"""Looks at the images of P prompts when it is first called."""


@runtime_checkable
class Engine(Protocol):
    """Draws G completions for each of P prompts."""

    max_model_len: int | None
    """Tokens of prompt and completion that it has room for; None where only the model limits it."""
    ahead: int
    """Steps that sampling is ahead of learning: 0, or 1 where groups are drawn while nobody asks
    for them."""

    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: Features,
        draws: Draws,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[Drawn]]]:
        """Each prompt's number and its group, as soon as that is complete."""
        ...
