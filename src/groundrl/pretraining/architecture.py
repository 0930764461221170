"""Builds the embedded model: a tiny instance of the Qwen3-VL classes with its real processor.

Same classes, chat layout and box frame (PERMILLE) as the full-size model; only sizes and the
vocabulary differ. The tokenizer is byte-level, so no text is out of vocabulary; digits are single
tokens as in the full-size one; the tags of the grammars and of reasoning are single tokens.
"""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

PATCH = 16
"""Pixels; 2 x 2 patches make one image token, so a token covers 32 x 32 pixels."""
SPECIAL_TOKENS = {
    "pad": "<|endoftext|>",
    "start": "<|im_start|>",
    "eos": "<|im_end|>",
    "vision_start": "<|vision_start|>",
    "vision_end": "<|vision_end|>",
    "image": "<|image_pad|>",
    "video": "<|video_pad|>",
}
TAGS = ("think", "answer", "obj", "bbox")

CHAT_TEMPLATE = (
    "{%- for message in messages -%}{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.content is string -%}{{ message.content }}"
    "{%- else -%}{%- for part in message.content -%}"
    "{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>"
    "{%- else -%}{{ part.text }}{%- endif -%}{%- endfor -%}{%- endif -%}"
    "{{ '<|im_end|>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)


def build_tokenizer(corpus: Iterable[str], vocab_size: int = 640) -> PreTrainedTokenizerFast:
    """Learn a byte-level BPE in which a word, a digit or a tag is one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d| ?\p{L}+|, |[^\s\p{L}\d]+|\s+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=SPECIAL_TOKENS["eos"],
        pad_token=SPECIAL_TOKENS["pad"],
        padding_side="left",
        extra_special_tokens={
            "image_token": SPECIAL_TOKENS["image"],
            "video_token": SPECIAL_TOKENS["video"],
            "vision_start_token": SPECIAL_TOKENS["vision_start"],
            "vision_end_token": SPECIAL_TOKENS["vision_end"],
        },
    )
    fast.add_tokens([f"<{slash}{tag}>" for tag in TAGS for slash in ("", "/")])
    return fast


def build_processor(tokenizer: PreTrainedTokenizerFast) -> Qwen3VLProcessor:
    """The Qwen3-VL processor with the embedded model's patch size and pixel limits."""
    image_processor = Qwen2VLImageProcessor(
        patch_size=PATCH,
        temporal_patch_size=2,
        merge_size=2,
        min_pixels=(2 * PATCH) ** 2 * 4,
        max_pixels=(2 * PATCH) ** 2 * 64,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return Qwen3VLProcessor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(patch_size=PATCH),
        chat_template=CHAT_TEMPLATE,
    )


def build_model(
    tokenizer: PreTrainedTokenizerFast, width: int = 192, layers: int = 4
) -> Qwen3VLForConditionalGeneration:
    """A Qwen3-VL with random weights: ``layers`` in tower and language model, heads of 32."""
    vocabulary = tokenizer.get_vocab()
    token_id = {name: vocabulary[text] for name, text in SPECIAL_TOKENS.items()}
    heads = width // 32
    inner = width * 8 // 3 // 32 * 32
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": width,
            "intermediate_size": inner,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "head_dim": 32,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [6, 5, 5],
                "rope_theta": 10000.0,
                "mrope_interleaved": True,
            },
            "bos_token_id": None,
            "eos_token_id": token_id["eos"],
            "pad_token_id": token_id["pad"],
            "tie_word_embeddings": True,
        },
        vision_config={
            "depth": layers,
            "hidden_size": width,
            "intermediate_size": inner,
            "num_heads": heads,
            "out_hidden_size": width,
            "patch_size": PATCH,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "num_position_embeddings": 100,
            "deepstack_visual_indexes": [layers // 2 - 1],
        },
        image_token_id=token_id["image"],
        video_token_id=token_id["video"],
        vision_start_token_id=token_id["vision_start"],
        vision_end_token_id=token_id["vision_end"],
        tie_word_embeddings=True,
    )
    return Qwen3VLForConditionalGeneration(config)
