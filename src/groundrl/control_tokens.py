"""Text from data, in which the control tokens of a model stay text.

A tokenizer reads ``<|im_end|>`` as the end of a turn wherever it stands, and a processor puts an
image in the place of ``<|image_pad|>``. A mark behind the first character of such a token breaks
it. ``CUT`` is for prompts whose parts are tokenized one by one and which no model sees; ``JOINER``
is for prompts that leave as text: it takes no space and cannot be seen.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

CUT: Final = "\ufdd0"
"""A noncharacter: Unicode keeps it for use inside programs."""
JOINER: Final = "\u2060"
"""WORD JOINER."""
SERVED: Final = re.compile(
    r"<(?=\|[^\s|<>]{1,40}\|>|/?(?:image|img|video|s|start_of_\w+|end_of_\w+)>|IMG_CONTEXT>)"
)
"""Starts of control tokens of models whose tokenizer is not here."""


def control_tokens(processor: Any) -> frozenset[str]:
    """The special tokens of a processor of ``transformers`` and its placeholders of pictures; of a
    tokenizer its special tokens."""
    tokenizer = getattr(processor, "tokenizer", processor)
    special = (one.content for one in tokenizer.added_tokens_decoder.values() if one.special)
    own = (value for name, value in vars(processor).items() if name.endswith("_token"))
    placeholders = (value for value in own if isinstance(value, str))
    return frozenset((*tokenizer.all_special_tokens, *special, *placeholders))


def token_starts(tokens: Iterable[str]) -> re.Pattern[str]:
    """What ``break_tokens`` looks for: the first character of each of ``tokens``.

    A token of one character has no inside and stays what it is.
    """
    longer = sorted(re.escape(token) for token in set(tokens) if len(token) > 1)
    return re.compile(rf"(?=(?:{'|'.join(longer)}))." if longer else r"(?!)", re.DOTALL)


def break_tokens(text: str, starts: re.Pattern[str], mark: str) -> str:
    """The text with ``mark`` inside each token that begins at one of ``starts``."""
    return starts.sub(lambda found: found[0] + mark, text)
