"""Soft prompts: learned vectors in front of every prompt, the model as it was (prompt tuning, arXiv
2104.08691).

The vectors stand where PEFT puts them, before the first token. To the rest of the package they are
tokens like others, with ids behind the vocabulary: rows, masks, rotary positions, caches and shared
prompts need to know nothing of them. PEFT's own forward pass is not used: it drops the positions
that it is given, and with them the two axes of an image's tokens in Qwen-VL.
"""

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float, Int
from peft import PeftModel, PromptTuningConfig, PromptTuningInit, TaskType, get_peft_model
from peft.utils import set_peft_model_state_dict
from torch import Tensor, nn
from transformers import PreTrainedModel

from groundrl.errors import UserError

WEIGHTS = "prompt_embeddings"
"""The name of the vectors in PEFT's files."""


def add_soft_prompt(vlm: PreTrainedModel, tokens: int) -> PeftModel:
    """``vlm`` with so many vectors, which start as embeddings of words drawn at random from the
    vocabulary (section 3.2 of the paper)."""
    config = PromptTuningConfig(
        task_type=TaskType.CAUSAL_LM,
        num_virtual_tokens=tokens,
        prompt_tuning_init=PromptTuningInit.SAMPLE_VOCAB,
    )
    return get_peft_model(vlm, config)


def load_soft_prompt(
    vlm: PreTrainedModel, config: PromptTuningConfig, weights: Mapping[str, Tensor], where: str
) -> PeftModel:
    """``vlm`` with the trained vectors of a file, frozen. Raises UserError, which starts with
    ``where``, for those of a model of another width."""
    width = cast(nn.Embedding, vlm.get_input_embeddings()).weight.shape[1]
    found = tuple(weights[WEIGHTS].shape) if WEIGHTS in weights else None
    if found != (config.num_virtual_tokens, width):
        raise UserError(
            f"{where}, and does not fit this model: it holds vectors of shape {found}, and the "
            f"model takes {(config.num_virtual_tokens, width)}. Type the model.path that it was "
            "trained for."
        )
    model = get_peft_model(vlm, config)
    set_peft_model_state_dict(model, dict(weights))
    return model.requires_grad_(False)


def has_soft_prompt(model: nn.Module) -> bool:
    """Whether the adapter consists of vectors in front of the prompt."""
    return isinstance(model, PeftModel) and model.active_peft_config.is_prompt_learning


def vectors(model: PeftModel, adapter: str) -> nn.Parameter:
    """The soft prompt of that name, [tokens, width]."""
    return model.get_parameter(f"prompt_encoder.{adapter}.embedding.weight")


def freeze_soft_prompt(model: PeftModel, adapter: str) -> None:
    """Keep the soft prompt of that name from learning, which PEFT does for other adapters only."""
    if has_soft_prompt(model):
        vectors(model, adapter).requires_grad_(False)


def take_virtual_tokens(model: PreTrainedModel | PeftModel) -> range:
    """Ids that stand for the vectors of a soft prompt, in order; empty without one.

    From now on the word embeddings of the model take these ids, and return the vectors of the
    adapter that is active then.
    """
    if not isinstance(model, PeftModel) or not has_soft_prompt(model):
        return range(0)
    words = cast(nn.Embedding, cast(PreTrainedModel, model.get_base_model()).get_input_embeddings())
    vocabulary, embed_words = len(words.weight), words.forward

    def embed(input: Int[Tensor, "*rows"]) -> Float[Tensor, "*rows width"]:
        embedded = embed_words(input.clamp(max=vocabulary - 1))
        prompt = vectors(model, cast(str, model.active_adapter)).to(embedded.dtype)
        virtual = input - vocabulary
        return torch.where((virtual >= 0)[..., None], prompt[virtual.clamp(min=0)], embedded)

    words.forward = embed
    return range(vocabulary, vocabulary + len(vectors(model, cast(str, model.active_adapter))))
