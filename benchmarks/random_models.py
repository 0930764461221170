"""Random weights in the shapes of published models: enough to measure speed."""

from typing import Any

import torch
from transformers import (
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from groundrl.policy.processor import Processor
from groundrl.pretraining.architecture import CHAT_TEMPLATE, SPECIAL_TOKENS, build_tokenizer

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
SIZES = ("tiny", "full")
"""``full``: Qwen2.5-VL 3B and Qwen3-VL 4B."""
WORD = " red"
"""A single token."""
PATCHES = {"qwen2_5_vl": 14, "qwen3_vl": 16}
"""Sides in pixels; 2 x 2 of them are an image token."""

TINY_TEXT = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 32,
}
TINY_TOWER = {"depth": 4, "hidden_size": 192, "intermediate_size": 512, "num_heads": 6}
TEXT: dict[tuple[str, str], dict[str, Any]] = {
    ("qwen2_5_vl", "tiny"): TINY_TEXT,
    ("qwen3_vl", "tiny"): TINY_TEXT,
    ("qwen2_5_vl", "full"): {
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
    },
    ("qwen3_vl", "full"): {
        "hidden_size": 2560,
        "intermediate_size": 9728,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
    },
}
TOWERS: dict[tuple[str, str], dict[str, Any]] = {
    ("qwen2_5_vl", "tiny"): TINY_TOWER | {"fullatt_block_indexes": [1, 3]},
    ("qwen3_vl", "tiny"): TINY_TOWER | {"deepstack_visual_indexes": [1]},
    ("qwen2_5_vl", "full"): {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "fullatt_block_indexes": [7, 15, 23, 31],
    },
    ("qwen3_vl", "full"): {
        "depth": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_heads": 16,
        "deepstack_visual_indexes": [5, 11, 17],
    },
}
ROPE: dict[tuple[str, str], dict[str, Any]] = {
    ("qwen2_5_vl", "tiny"): {"mrope_section": [4, 6, 6]},
    ("qwen2_5_vl", "full"): {"mrope_section": [16, 24, 24]},
    ("qwen3_vl", "tiny"): {"mrope_section": [6, 5, 5], "mrope_interleaved": True},
    ("qwen3_vl", "full"): {"mrope_section": [24, 20, 20], "mrope_interleaved": True},
}


def build(
    family: str, size: str, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[PreTrainedModel, Processor]:
    """A model and its processor; the same weights in every process on the same device."""
    tokenizer = build_tokenizer([WORD] * 100)
    token = {name: tokenizer.convert_tokens_to_ids(text) for name, text in SPECIAL_TOKENS.items()}
    shape, patch = (family, size), PATCHES[family]
    text = {"vocab_size": len(tokenizer)} | TEXT[shape]
    config = {
        "text_config": {
            **text,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, **ROPE[shape]},
            "max_position_embeddings": 32768,
            "bos_token_id": None,
            "eos_token_id": token["eos"],
            "pad_token_id": token["pad"],
            "tie_word_embeddings": True,
        },
        "vision_config": {
            **TOWERS[shape],
            "out_hidden_size": text["hidden_size"],
            "patch_size": patch,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        "image_token_id": token["image"],
        "video_token_id": token["video"],
        "vision_start_token_id": token["vision_start"],
        "vision_end_token_id": token["vision_end"],
        "tie_word_embeddings": True,
    }
    model, processor, video = {
        "qwen2_5_vl": (
            lambda: Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**config)),
            Qwen2_5_VLProcessor,
            Qwen2VLVideoProcessor,
        ),
        "qwen3_vl": (
            lambda: Qwen3VLForConditionalGeneration(Qwen3VLConfig(**config)),
            Qwen3VLProcessor,
            Qwen3VLVideoProcessor,
        ),
    }[family]
    torch.manual_seed(0)
    with torch.device(device):
        vlm = model().to(dtype).eval()
    images = Qwen2VLImageProcessor(
        patch_size=patch, min_pixels=(2 * patch) ** 2, max_pixels=(128 * patch) ** 2
    )
    return vlm, processor(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=video(),
        chat_template=CHAT_TEMPLATE,
    )
