"""Shapes of the models of ``conf/model``, from their published configs: they are known before
anything is downloaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """What memory depends on."""

    layers: int
    width: int
    """Of the hidden state."""
    inner: int
    """Width of the MLP."""
    query_width: int
    """All query heads together."""
    key_width: int
    """All key heads together; values have the same."""
    vocabulary: int
    tied: bool
    """Whether the output head is the embedding."""
    tower: int
    """Weights of the vision tower and its projector."""

    @property
    def linears(self) -> int:
        """Weights of the linear layers of the language model, which adapters adapt and NF4
        stores."""
        attention = 2 * self.width * (self.query_width + self.key_width)
        return self.layers * (attention + 3 * self.width * self.inner)

    @property
    def language(self) -> int:
        """Weights of the language model."""
        heads = 1 if self.tied else 2
        return self.linears + heads * self.vocabulary * self.width

    @property
    def weights(self) -> int:
        """All."""
        return self.language + self.tower

    def lora(self, rank: int) -> int:
        """Weights of an adapter on all linear layers: ``rank * (in + out)`` each."""
        attention = 2 * (self.width + self.query_width) + 2 * (self.width + self.key_width)
        return self.layers * rank * (attention + 3 * (self.width + self.inner))


def _shape(
    layers: int,
    width: int,
    inner: int,
    heads: tuple[int, int],
    vocabulary: tuple[int, bool],
    tower: int | float,
) -> ModelShape:
    """``heads``: query and key width; ``vocabulary``: its size, and whether it is tied; ``tower``:
    millions of weights."""
    return ModelShape(
        layers=layers,
        width=width,
        inner=inner,
        query_width=heads[0],
        key_width=heads[1],
        vocabulary=vocabulary[0],
        tied=vocabulary[1],
        tower=round(tower * 1e6),
    )


PUBLISHED: Final[Mapping[str, ModelShape]] = {
    "embedded": _shape(4, 192, 512, (192, 192), (601, True), 3.18),
    "Qwen/Qwen2-VL-2B-Instruct": _shape(28, 1536, 8960, (1536, 256), (151936, True), 665),
    "Qwen/Qwen2.5-VL-3B-Instruct": _shape(36, 2048, 11008, (2048, 256), (151936, True), 669),
    "Qwen/Qwen2.5-VL-7B-Instruct": _shape(28, 3584, 18944, (3584, 512), (152064, False), 677),
    "Qwen/Qwen3-VL-4B-Instruct": _shape(36, 2560, 9728, (4096, 1024), (151936, True), 415),
    "OpenGVLab/InternVL3-2B-hf": _shape(28, 1536, 8960, (1536, 256), (151674, False), 313),
    "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": _shape(
        24, 896, 4864, (896, 128), (152000, True), 400
    ),
    "google/gemma-3-4b-it": _shape(34, 2560, 10240, (2048, 1024), (262208, True), 420),
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": _shape(
        24, 2048, 8192, (2048, 2048), (49280, False), 434
    ),
    "HuggingFaceM4/Idefics3-8B-Llama3": _shape(32, 4096, 14336, (4096, 1024), (128259, False), 432),
}
"""By the path in ``conf/model``."""
