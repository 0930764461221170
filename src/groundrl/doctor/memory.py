"""What a training would need of memory: an estimate from the shape of the model."""

from dataclasses import dataclass
from typing import Final, Literal

from groundrl.doctor.shapes import ModelShape

AdapterKind = Literal["lora", "qlora", "none"]
BYTES: Final = {"float32": 4, "bfloat16": 2, "float16": 2}
NF4_BYTES: Final = 0.5625
"""Of a weight: 4 bits, and a scale of 32 bits for each 64 weights (arXiv 2305.14314, section 3)."""
TRAINED_BYTES: Final = 12
"""Of a trained weight beside itself: gradient and two moments of AdamW, in float32."""
LOGITS: Final = 2 * 4 * 2**26
"""Bytes of the largest chunk of logits and its gradient (``policy.shared_prefix.scoring``)."""
KEPT_WIDTHS: Final = (10, 4)
"""Hidden states and MLP widths that a layer keeps for its backward pass, for each token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is computed at once."""

    dtype: str
    """Of the base weights."""
    rank: int
    tokens_per_forward: int
    """Of an update."""
    rollout_tokens: int
    """Whose keys and values are kept at once."""
    checkpointing: bool
    """Layers keep only their input for the backward pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Bytes, estimated."""

    weights: int | float
    learning: int | float
    """Adapter or copy as reference, gradients, moments."""
    cache: int | float
    """Keys and values of a rollout."""
    activations: int | float
    """Of an update."""

    @property
    def peak(self) -> int | float:
        """Rollout and update take turns."""
        return self.weights + self.learning + max(self.cache, self.activations)


def estimate(shape: ModelShape, kind: AdapterKind, load: Load) -> Need:
    """The need of a training on one device."""
    size = BYTES[load.dtype]
    match kind:
        case "lora":
            weights, learning = shape.weights * size, _adapter_bytes(shape, load.rank)
        case "qlora":
            kept = (shape.weights - shape.linears) * size
            weights, learning = kept + shape.linears * NF4_BYTES, _adapter_bytes(shape, load.rank)
        case "none":  # all in float32, and a frozen copy as reference
            weights = shape.weights * 4
            learning = shape.weights * 4 + shape.language * TRAINED_BYTES
    cache = 2 * shape.layers * shape.key_width * size * load.rollout_tokens
    return Need(
        weights=weights,
        learning=learning,
        cache=cache,
        activations=_activation_bytes(shape, load, size) + LOGITS,
    )


def _adapter_bytes(shape: ModelShape, rank: int) -> int:
    """Weights in float32, a copy of them as reference, gradient and moments."""
    return shape.lora(rank) * (4 + 4 + TRAINED_BYTES)


def _activation_bytes(shape: ModelShape, load: Load, size: int) -> int:
    hidden, inner = KEPT_WIDTHS
    layer = hidden * shape.width + inner * shape.inner
    if load.checkpointing:  # the inputs of all layers, and one layer as it is computed again
        return load.tokens_per_forward * size * (shape.layers * shape.width + layer)
    return load.tokens_per_forward * size * shape.layers * layer
