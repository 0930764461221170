"""Tiny random instances of the Qwen-VL families."""

from typing import Any

from family_parts import WIDTH, chat_template, text_config, tokenizer
from transformers import (
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from groundrl.policy.processor import Processor

ROPE = {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 10000.0}
TOWER = {"hidden_size": WIDTH, "intermediate_size": 96, "out_hidden_size": WIDTH}
"""Of all but the oldest family."""


def qwen(
    model: Any,
    config: Any,
    processor: Any,
    video: Any,
    patch: int,
    vision: dict[str, Any],
    text: dict[str, Any] | None = None,
) -> tuple[PreTrainedModel, Processor]:
    image = "<|image_pad|>"
    words = tokenizer(
        image,
        video_token="<|video_pad|>",
        vision_start_token="<|vision_start|>",
        vision_end_token="<|vision_end|>",
    )
    token_id = words.convert_tokens_to_ids
    vlm = model(
        config(
            text_config=text_config(words, **({"rope_parameters": ROPE} | (text or {}))),
            vision_config={
                "depth": 2,
                "num_heads": 4,
                "patch_size": patch,
                "spatial_merge_size": 2,
                "temporal_patch_size": 2,
                **vision,
            },
            image_token_id=token_id(image),
            video_token_id=token_id("<|video_pad|>"),
            vision_start_token_id=token_id("<|vision_start|>"),
            vision_end_token_id=token_id("<|vision_end|>"),
        )
    )
    image_processor = Qwen2VLImageProcessor(
        patch_size=patch, min_pixels=(2 * patch) ** 2 * 4, max_pixels=(2 * patch) ** 2 * 16
    )
    template = chat_template(f"<|vision_start|>{image}<|vision_end|>")
    return vlm, processor(
        image_processor=image_processor,
        tokenizer=words,
        video_processor=video(),
        chat_template=template,
    )


def qwen2_vl() -> tuple[PreTrainedModel, Processor]:
    return qwen(
        Qwen2VLForConditionalGeneration,
        Qwen2VLConfig,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
        patch=14,
        vision={"embed_dim": WIDTH, "hidden_size": WIDTH},
    )


def qwen2_5_vl() -> tuple[PreTrainedModel, Processor]:
    return qwen(
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLConfig,
        Qwen2_5_VLProcessor,
        Qwen2VLVideoProcessor,
        patch=14,
        vision=TOWER | {"window_size": 56, "fullatt_block_indexes": [1]},
    )


def qwen3_vl() -> tuple[PreTrainedModel, Processor]:
    return qwen(
        Qwen3VLForConditionalGeneration,
        Qwen3VLConfig,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
        patch=16,
        vision=TOWER | {"num_position_embeddings": 64, "deepstack_visual_indexes": [0]},
        text={"rope_parameters": ROPE | {"mrope_interleaved": True}},  # vLLM reads it
    )


def qwen3_5() -> tuple[PreTrainedModel, Processor]:
    return qwen(
        Qwen3_5ForConditionalGeneration,
        Qwen3_5Config,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
        patch=16,
        vision=TOWER | {"num_position_embeddings": 64},
        text={
            "layer_types": ["linear_attention", "full_attention"],
            "rope_parameters": ROPE | {"mrope_interleaved": True, "partial_rotary_factor": 1.0},
            "linear_key_head_dim": 16,
            "linear_value_head_dim": 16,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
        },
    )
