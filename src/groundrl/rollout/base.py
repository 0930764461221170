"""The interface of rollout engines."""

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

from groundrl.config_node import ConfigNode
from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision_store import VisionFeatures
from groundrl.rollout.randomness import RolloutSeeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a token is sampled. ``temperature=0`` takes the most likely token. Raises UserError for
    values outside their ranges."""

    max_tokens: int = 128
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """0 keeps the whole vocabulary."""
    min_p: float = 0.0

    def __post_init__(self) -> None:
        ranges = {
            "max_tokens": (self.max_tokens >= 1, "1 or more"),
            "temperature": (0 <= self.temperature < math.inf, "0 or more"),
            "top_p": (0 < self.top_p <= 1, "above 0, up to 1"),
            "top_k": (self.top_k >= 0, "0 or more"),
            "min_p": (0 <= self.min_p <= 1, "from 0 to 1"),
        }
        wrong = {name: range for name, (fits, range) in ranges.items() if not fits}
        if wrong:
            found = ", ".join(f"{k}={getattr(self, k)} (expected {v})" for k, v in wrong.items())
            defaults = {field.name: field.default for field in fields(self)}
            typed = " ".join(f"sampling.{name}={defaults[name]}" for name in wrong)
            raise UserError(f"tokens cannot be sampled with {found}: type for example {typed}")

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """What the constructor refuses."""
        try:
            cls(**node.options)
        except UserError as error:
            yield str(error).replace("sampling.", f"{node.path}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledTokens:
    """One completion as an engine returns it: token ids without text. ``Sampler`` decodes it and
    returns a ``records.Completion``, which has the same fields and the text."""

    tokens: tuple[int, ...]
    """Token ids, the end token included when it was sampled."""
    logprobs: tuple[float, ...]
    """Of each token, at the sampling temperature, before top-p, top-k and min-p."""
    truncated: bool
    """No end token within ``Sampling.max_tokens``."""


LoadFeatures = Callable[[], list[VisionFeatures]]
"""Returns the image features of P prompts, computed at the first call."""


@runtime_checkable
class RolloutEngine(Protocol):
    """Samples G completions for each of P prompts. A subclass needs ``generate`` only."""

    max_model_len: int | None = None
    """Largest number of tokens of prompt and completion; None: only the model limits it."""
    prefetch: int = 0
    """1 where ``generate`` starts to sample when it is called, before its first group is taken: the
    completions of the next step are then sampled while this step trains."""

    def memory_options(self) -> Mapping[str, object]:
        """Options, as typed, that bound the memory of this process, with their values: an error
        about full memory names them. Not those that ``generate`` itself lowers."""
        return {}

    def take_counts(self) -> dict[str, float]:
        """What failed since the last call, by names of ``ROLLOUT_METRICS``; a step logs it."""
        return {}

    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: LoadFeatures,
        seeds: RolloutSeeds,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """Yield the index of each prompt with its G completions, in any order, each as soon as it
        is complete. Completions must depend on the weights and on ``seeds`` only."""
        ...
