"""What differs between the families of vision-language models, read off the model itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import signature

from jaxtyping import Bool, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

ATTENTION = {"full_attention", "sliding_attention"}
"""Kinds of language layers whose past is a set of tokens, which branches can share."""
TESTED = {
    "gemma3",
    "idefics3",
    "internvl",
    "llava_onevision",
    "qwen2_5_vl",
    "qwen2_vl",
    "qwen3_5",
    "qwen3_vl",
    "smolvlm",
}
"""Classes whose shared prompts are tested against the class itself; others share nothing."""
IMAGES_SEE_THEMSELVES = {"gemma3"}
"""Tokens of one image attend to each other in both directions (Gemma 3, arXiv 2503.19786)."""
FEATURES_IN_ONE_TENSOR = {"gemma3", "idefics3", "internvl", "smolvlm"}
"""Classes that take image features back as one tensor, not as a list with one for each image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """How prompts of this model are laid out and what its language layers see."""

    image_token: int
    """Id of the token that stands for a piece of an image."""
    stand_ins: tuple[int, ...]
    """Ids of all tokens that stand for pixels; none is ever an answer."""
    window: int | None
    """Sliding layers see this many tokens back, the token itself included; None without any."""
    images_see_themselves: bool
    features_in_one_tensor: bool | None
    """None for classes that are not tested: they take features in the form in which they give
    them, which is known when an image has been looked at."""
    types: str | None
    """Under which name a class that is not tested takes the type of each token."""
    language: str
    """Name of the language model among the modules."""
    shares_prefixes: bool
    """False where a layer keeps a running state instead of attending to the past, and for classes
    that are not tested: whatever their masks are, stock attention has them."""

    def type_ids(
        self, images: Int[Tensor, "R L"], answer: Bool[Tensor, "R L"]
    ) -> dict[str, Int[Tensor, "R L"]]:
        """1 on images (Gemma 4), or on the answer behind a prompt that sees all of itself
        (PaliGemma, arXiv 2407.07726)."""
        if self.types is None:
            return {}
        return {self.types: images.sign() if self.types.startswith("mm_") else answer.long()}


def spec_of(vlm: PreTrainedModel) -> ModelSpec:
    """The spec of any image-text model of ``transformers``."""
    text = vlm.config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    kind = vlm.config.model_type
    takes = signature(vlm.model.forward).parameters
    types = [name for name in ("mm_token_type_ids", "token_type_ids") if name in takes]
    stand_ins = (getattr(vlm.config, f"{name}_token_id", None) for name in ("image", "video"))
    return ModelSpec(
        image_token=vlm.config.image_token_id,
        stand_ins=tuple(token for token in stand_ins if token is not None),
        window=text.sliding_window if "sliding_attention" in kinds else None,
        images_see_themselves=kind in IMAGES_SEE_THEMSELVES,
        features_in_one_tensor=kind in FEATURES_IN_ONE_TENSOR if kind in TESTED else None,
        types=types[0] if types and kind not in TESTED else None,
        language=next(n for n, module in vlm.named_modules() if module is vlm.get_decoder()),
        shares_prefixes=kind in TESTED and kinds <= ATTENTION,
    )


def is_tower(name: str, spec: ModelSpec) -> bool:
    """Whether a module or weight of that name belongs to what turns pixels into image tokens."""
    return not name.startswith((f"{spec.language}.", "lm_head"))


def tower_parameters(vlm: PreTrainedModel, spec: ModelSpec) -> Iterator[nn.Parameter]:
    """The weights that the features of an image depend on."""
    return (p for name, p in vlm.named_parameters() if is_tower(name, spec))
