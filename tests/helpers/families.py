"""A tiny random instance of every supported family: the real classes, the real processors."""

from collections.abc import Callable
from typing import Any

import torch
from family_parts import chat_template, siglip, text_config, token_id, tokenizer
from qwen_families import qwen2_5_vl, qwen2_vl, qwen3_5, qwen3_vl
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    GotOcr2ImageProcessor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    PreTrainedModel,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

from groundrl.policy.processor import Processor


def idefics(
    model: Any, config: Any, processor: Any, image_processor: Any, **options: Any
) -> tuple[PreTrainedModel, Processor]:
    tiles = [f"<row_{i + 1}_col_{j + 1}>" for i in range(6) for j in range(6)]
    words = tokenizer(
        "<image>",
        "<fake_token_around_image>",
        "<global-img>",
        "<end_of_utterance>",
        "<video>",
        *tiles,
    )
    vision = siglip(56)
    vlm = model(
        config(
            text_config={"model_type": "llama", **text_config(words)},
            vision_config=vision,
            image_token_id=token_id(words, "<image>"),
            scale_factor=2,
        )
    )
    images = image_processor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56})
    template = chat_template("<image>")
    return vlm, processor(
        image_processor=images, tokenizer=words, image_seq_len=4, chat_template=template, **options
    )


def idefics3() -> tuple[PreTrainedModel, Processor]:
    return idefics(
        Idefics3ForConditionalGeneration,
        Idefics3Config,
        Idefics3Processor,
        Idefics3ImageProcessor,
    )


def smolvlm() -> tuple[PreTrainedModel, Processor]:
    return idefics(
        SmolVLMForConditionalGeneration,
        SmolVLMConfig,
        SmolVLMProcessor,
        SmolVLMImageProcessor,
        video_processor=SmolVLMVideoProcessor(),
    )


def internvl() -> tuple[PreTrainedModel, Processor]:
    image = "<IMG_CONTEXT>"
    words = tokenizer(
        image,
        context_image_token=image,
        start_image_token="<img>",
        end_image_token="</img>",
        video_token="<video>",
    )
    vlm = InternVLForConditionalGeneration(
        InternVLConfig(
            text_config={"model_type": "qwen2", **text_config(words)},
            vision_config=siglip(56) | {"image_size": [56, 56], "patch_size": [14, 14]},
            image_token_id=token_id(words, image),
            image_seq_length=4,
        )
    )
    return vlm, InternVLProcessor(
        image_processor=GotOcr2ImageProcessor(
            size={"height": 56, "width": 56}, crop_to_patches=True, max_patches=4
        ),
        tokenizer=words,
        video_processor=InternVLVideoProcessor(),
        image_seq_length=4,
        chat_template=chat_template(image),
    )


def gemma3() -> tuple[PreTrainedModel, Processor]:
    words = tokenizer(
        "<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>"
    )
    layers = ["sliding_attention", "full_attention"]
    vlm = Gemma3ForConditionalGeneration(
        Gemma3Config(
            text_config=text_config(
                words, sliding_window=24, layer_types=layers, query_pre_attn_scalar=32
            ),
            vision_config=siglip(112) | {"vision_use_head": False},
            mm_tokens_per_image=16,
            image_token_index=token_id(words, "<image_soft_token>"),
            boi_token_index=token_id(words, "<start_of_image>"),
            eoi_token_index=token_id(words, "<end_of_image>"),
        )
    )
    return vlm, Gemma3Processor(
        image_processor=Gemma3ImageProcessor(size={"height": 112, "width": 112}),
        tokenizer=words,
        image_seq_length=16,
        chat_template=chat_template("<start_of_image>"),
    )


def llava_onevision() -> tuple[PreTrainedModel, Processor]:
    words = tokenizer("<image>", video_token="<video>")
    pinpoints = [[56, 56], [56, 112], [112, 56], [112, 112]]
    vlm = LlavaOnevisionForConditionalGeneration(
        LlavaOnevisionConfig(
            text_config={"model_type": "qwen2", **text_config(words)},
            vision_config={"model_type": "siglip_vision_model", **siglip(56)}
            | {"vision_use_head": False},
            image_token_index=token_id(words, "<image>"),
            video_token_index=token_id(words, "<video>"),
            image_grid_pinpoints=pinpoints,
        )
    )
    return vlm, LlavaOnevisionProcessor(
        image_processor=LlavaOnevisionImageProcessor(
            size={"height": 56, "width": 56}, image_grid_pinpoints=pinpoints
        ),
        tokenizer=words,
        video_processor=LlavaOnevisionVideoProcessor(),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=chat_template("<image>"),
    )


FAMILIES: dict[str, Callable[[], tuple[PreTrainedModel, Processor]]] = {
    make.__name__: make
    for make in (
        qwen2_vl,
        qwen2_5_vl,
        qwen3_vl,
        qwen3_5,
        idefics3,
        smolvlm,
        internvl,
        gemma3,
        llava_onevision,
    )
}


def build(family: str, seed: int = 0) -> tuple[PreTrainedModel, Processor]:
    """Equal seeds, equal weights; answers are far from uniform, so that mistakes show."""
    torch.manual_seed(seed)
    vlm, processor = FAMILIES[family]()
    for name, parameter in vlm.named_parameters():
        if "norm" not in name:
            parameter.data.mul_(4)
    return vlm.eval(), processor
