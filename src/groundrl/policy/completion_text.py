"""The text of a completion: what its tokens say, and what the chat template wrote before them."""

from typing import Any, Final

from groundrl.grammar.families import is_box_token

OPEN: Final = "<think>"


def find_opening(processor: Any) -> str:
    """``<think>`` with the blanks behind it where the chat template ends a prompt with it, else "":
    the reasoning then counts as opened by the model."""
    chat = [{"role": "user", "content": [{"type": "text", "text": "user"}]}]
    prompt = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    _, tag, blanks = prompt.rpartition(OPEN)
    return tag + blanks if tag and not blanks.strip() else ""


def find_silent_tokens(tokenizer: Any) -> frozenset[int]:
    """Ids of the special tokens that no text shows: all but those that boxes are written with."""
    pairs = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
    return frozenset(one for one, token in pairs if not is_box_token(token))
