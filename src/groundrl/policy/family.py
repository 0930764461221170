"""What differs between the families of vision-language models, read off the model itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

ATTENTION = {"full_attention", "sliding_attention"}
"""Kinds of language layers whose past is a set of tokens, which branches can share."""
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
    features_in_one_tensor: bool
    language: str
    """Name of the language model among the modules."""
    shares_prefixes: bool
    """False where a layer keeps a running state instead of attending to the past."""


def spec_of(vlm: PreTrainedModel) -> ModelSpec:
    """The spec of any image-text model of ``transformers``."""
    text = vlm.config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    stand_ins = (getattr(vlm.config, f"{name}_token_id", None) for name in ("image", "video"))
    return ModelSpec(
        image_token=vlm.config.image_token_id,
        stand_ins=tuple(token for token in stand_ins if token is not None),
        window=text.sliding_window if "sliding_attention" in kinds else None,
        images_see_themselves=vlm.config.model_type in IMAGES_SEE_THEMSELVES,
        features_in_one_tensor=vlm.config.model_type in FEATURES_IN_ONE_TENSOR,
        language=next(n for n, module in vlm.named_modules() if module is vlm.get_decoder()),
        shares_prefixes=kinds <= ATTENTION,
    )


def is_tower(name: str, spec: ModelSpec) -> bool:
    """Whether a module or weight of that name belongs to what turns pixels into image tokens."""
    return not name.startswith((f"{spec.language}.", "lm_head"))


def tower_parameters(vlm: PreTrainedModel, spec: ModelSpec) -> Iterator[nn.Parameter]:
    """The weights that the features of an image depend on."""
    return (p for name, p in vlm.named_parameters() if is_tower(name, spec))
