"""Tiny random instances of classes that groundrl knows nothing of."""

from typing import Any

import torch
from family_parts import WIDTH, chat_template, siglip, text_config, tokenizer
from transformers import (
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    PreTrainedModel,
    SiglipImageProcessor,
)

from groundrl.policy.processor import Processor


def paligemma() -> tuple[PreTrainedModel, Processor]:
    """Its prompt sees all of itself."""
    words: Any = tokenizer("<image>")
    words.bos_token = "<end>"
    vision = siglip(56) | {"vision_use_head": False, "projection_dim": WIDTH}
    torch.manual_seed(0)
    vlm = PaliGemmaForConditionalGeneration(
        PaliGemmaConfig(
            text_config={"model_type": "gemma", **text_config(words)},
            vision_config={"model_type": "siglip_vision_model", **vision},
            image_token_index=words.convert_tokens_to_ids("<image>"),
            projection_dim=WIDTH,
        )
    )
    for name, parameter in vlm.named_parameters():
        if "norm" not in name:
            parameter.data.mul_(4)
    images: Any = SiglipImageProcessor(size={"height": 56, "width": 56})
    images.image_seq_length = 16
    template = chat_template("<image>")
    return vlm.eval(), PaliGemmaProcessor(
        image_processor=images, tokenizer=words, chat_template=template
    )
