"""Reads what a vLLM server answers, by rule: the numbers go into the loss."""

import math
from collections.abc import Sequence
from typing import Any, Final

from groundrl.policy.policy import Policy
from groundrl.rollout.base import SampledTokens
from groundrl.rollout.vllm import sampled_tokens

UNKNOWN_LOGPROB: Final = -9999.0
"""What vLLM's OpenAI-compatible server writes for -inf and NaN."""
ROUNDING: Final = 1e-3
"""How far above 0 a log-probability may lie."""


class InvalidAnswer(Exception):
    """An answer that cannot be learned from; the message says why."""


def read_completions(
    policy: Policy, answer: object, group_size: int, max_tokens: int
) -> list[SampledTokens]:
    """The completions of a chat response, in the order of their indices.

    Raises InvalidAnswer unless there are ``group_size`` completions, each with 1 to ``max_tokens``
    token ids of the vocabulary, none of them an image's, and a log-probability for each of them.
    """
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or len(choices) != group_size:
        found = len(choices) if isinstance(choices, list) else "no"
        raise InvalidAnswer(f"{found} completions instead of {group_size}")
    by_index = {
        choice["index"]: choice
        for choice in choices
        if isinstance(choice, dict) and type(choice.get("index")) is int
    }
    if by_index.keys() != set(range(group_size)):
        raise InvalidAnswer(f"completions that are not numbered from 0 to {group_size - 1}")
    sampled = []
    for index in range(group_size):
        tokens = read_tokens(by_index[index].get("token_ids"), policy, max_tokens)
        logprobs = read_logprobs(by_index[index].get("logprobs"), len(tokens))
        sampled.append(sampled_tokens(policy, tokens, logprobs))
    return sampled


def read_tokens(tokens: object, policy: Policy, max_tokens: int) -> list[int]:
    """Token ids that the policy can read."""
    if not isinstance(tokens, list) or not 1 <= len(tokens) <= max_tokens:
        found = len(tokens) if isinstance(tokens, list) else "no"
        raise InvalidAnswer(f"a completion of {found} token ids (expected 1 to {max_tokens})")
    vocabulary = policy.vlm.config.get_text_config().vocab_size
    for token in tokens:
        if type(token) is not int or not 0 <= token < vocabulary:
            raise InvalidAnswer(f"token id {token!r}, of a vocabulary of {vocabulary}")
        if token in policy.spec.placeholders:
            raise InvalidAnswer(f"token id {token}, which stands for a part of an image")
    return tokens


def read_logprobs(logprobs: object, count: int) -> Sequence[float]:
    """``count`` log-probabilities; -inf where the server has put its placeholder for -inf and NaN,
    which JSON cannot hold."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list) or len(content) != count:
        found = len(content) if isinstance(content, list) else "no"
        raise InvalidAnswer(f"{found} log-probabilities of {count} tokens")
    values: list[Any] = [
        token.get("logprob") if isinstance(token, dict) else None for token in content
    ]
    for value in values:
        # NaN is not smaller than anything.
        if type(value) not in (float, int) or not value <= ROUNDING:
            raise InvalidAnswer(f"log-probability {value!r}")
    return [float(value) if value > UNKNOWN_LOGPROB else -math.inf for value in values]
