"""What tiny models of all families are made of."""

from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

WIDTH = 64
CORPUS = ["where is the red cup left of the blue box? <think><obj>cup</obj></think>"] * 20


def tokenizer(image: str, *special: str, **extra: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE that knows the special tokens of a family."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    words = ["<pad>", "<end>", image, *special, *extra.values()]
    bpe.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=list(dict.fromkeys(words)),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<end>",
        pad_token="<pad>",
        padding_side="left",
        extra_special_tokens={"image_token": image, **extra},
    )


def token_id(words: PreTrainedTokenizerFast, token: str) -> int:
    found = words.convert_tokens_to_ids(token)
    assert isinstance(found, int)
    return found


def chat_template(image: str) -> str:
    return (
        "{%- for message in messages -%}user: {% for part in message.content -%}"
        f"{{%- if part.type == 'image' -%}}{image}"
        "{%- else -%}{{ part.text }}{%- endif -%}{%- endfor -%}<end>{%- endfor -%}"
        "{%- if add_generation_prompt %} assistant: {% endif -%}"
    )


def text_config(words: PreTrainedTokenizerFast, **changes: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(words),
        "hidden_size": WIDTH,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,  # the least that vLLM computes on a CPU
        "max_position_embeddings": 2048,
        "bos_token_id": None,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
        **changes,
    }


def siglip(image_size: int) -> dict[str, Any]:
    return {
        "hidden_size": WIDTH,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": image_size,
        "patch_size": 14,
    }
