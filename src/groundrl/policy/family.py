"""What differs between families of vision-language models, and what is read off a model itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pkgutil import iter_modules

from jaxtyping import Bool, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from groundrl.policy import families

ATTENTION_LAYERS = {"full_attention", "sliding_attention"}
"""Kinds of language layers whose cache holds keys and values, which completions can share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFamily:
    """Facts about a class of models that cannot be read off the model itself.

    With the right facts, shared prompts give the log-probabilities of the class's own forward pass;
    compare them before you add a family. The defaults are those of most classes. A class without a
    module in ``policy/families`` gets its family in the config of the model::

        family:
          _target_: groundrl.policy.family.ModelFamily  # or a function that returns one
          features_in_one_tensor: true
    """

    images_see_themselves: bool = False
    """The tokens of one image attend to each other in both directions."""
    features_in_one_tensor: bool = False
    """The model takes image features back as one tensor, not as a list with one per image."""
    packed_tower: bool = False
    """The vision tower (``model.visual``) reads the patches of all images as one sequence; such
    towers are sped up, see ``policy.adapters.tower``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """How prompts of a model are laid out, and what its language layers attend to."""

    family: ModelFamily | None
    """None for a class without known facts: its prompts are never shared, so that the class's own
    attention masks apply, whatever they are."""
    image_token: int
    """Id of the placeholder token that stands for a piece of an image."""
    placeholders: tuple[int, ...]
    """Ids of all placeholder tokens, of images and videos; none is ever part of an answer."""
    window: int | None
    """Tokens that sliding-window layers attend to, the token itself included; None without such
    layers."""
    token_types: str | None
    """Name of the argument by which a class without family takes the type of each token."""
    language_model: str
    """Name of the language model among the modules."""
    shares_prefixes: bool
    """False for a class without family, and where a layer keeps a recurrent state instead of
    attending to earlier tokens."""

    @property
    def images_see_themselves(self) -> bool:
        """As the family states; False without one."""
        return self.family is not None and self.family.images_see_themselves

    def type_ids(
        self, images: Int[Tensor, "R L"], answer: Bool[Tensor, "R L"]
    ) -> dict[str, Int[Tensor, "R L"]]:
        """Token types of rows with one completion each, by argument name; empty where the model
        takes none: 1 on image tokens (Gemma 4), or 1 on the answer, where a prompt attends to all
        of itself (PaliGemma, arXiv 2407.07726)."""
        if self.token_types is None:
            return {}
        types = images.sign() if self.token_types.startswith("mm_") else answer.long()
        return {self.token_types: types}


def known_family(model_type: str) -> ModelFamily | None:
    """``FAMILY`` of the module of ``policy/families`` that bears the name of the model type."""
    if model_type not in {module.name for module in iter_modules(families.__path__)}:
        return None
    return import_module(f"{families.__name__}.{model_type}").FAMILY


def spec_of(vlm: PreTrainedModel, family: ModelFamily | None = None) -> ModelSpec:
    """The spec of any image-text model of ``transformers``; ``family`` replaces what is known of
    its model type."""
    family = family or known_family(vlm.config.model_type)
    text = vlm.config.get_text_config()
    layers = set(getattr(text, "layer_types", None) or ["full_attention"])
    arguments = signature(vlm.model.forward).parameters
    types = [name for name in ("mm_token_type_ids", "token_type_ids") if name in arguments]
    placeholders = (getattr(vlm.config, f"{kind}_token_id", None) for kind in ("image", "video"))
    return ModelSpec(
        family=family,
        image_token=vlm.config.image_token_id,
        placeholders=tuple(token for token in placeholders if token is not None),
        window=text.sliding_window if "sliding_attention" in layers else None,
        token_types=types[0] if types and family is None else None,
        language_model=language_model_name(vlm),
        shares_prefixes=family is not None and layers <= ATTENTION_LAYERS,
    )


def language_model_name(vlm: PreTrainedModel) -> str:
    """Name of the language model among the modules of ``vlm``."""
    decoder = vlm.get_decoder()
    return next(name for name, module in vlm.named_modules() if module is decoder)


def is_tower(name: str, language_model: str) -> bool:
    """Whether a module or weight of that name belongs to the part that turns pixels into image
    tokens, the projector included."""
    return not name.startswith((f"{language_model}.", "lm_head"))


def tower_parameters(vlm: PreTrainedModel, language_model: str) -> Iterator[nn.Parameter]:
    """The weights that the features of an image depend on."""
    return (p for name, p in vlm.named_parameters() if is_tower(name, language_model))
