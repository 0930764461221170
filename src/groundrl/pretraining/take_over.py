"""Pretraining that goes on from a model with another vocabulary."""

from typing import cast

import torch
from torch import nn

from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy


@torch.no_grad()
def take_over(policy: Policy, start: str) -> None:
    """Copy the weights of a pretrained model of the same sizes.

    Words that both vocabularies have as one token keep their embedding; a new one starts as the
    mean of the pieces that the old vocabulary writes it with.
    """
    old = load_policy(start, policy.frame, policy.encode.template, Adapter(kind="none"))
    tables = [cast(nn.Embedding, one.vlm.get_input_embeddings()).weight for one in (policy, old)]
    vocabulary = {table.shape for table in tables}
    weights = old.vlm.state_dict()
    same = {name: one for name, one in weights.items() if one.shape not in vocabulary}
    policy.vlm.load_state_dict(same, strict=False)
    new_words, old_words = (one.processor.tokenizer for one in (policy, old))
    for word, index in new_words.get_vocab().items():
        known = old_words.get_vocab().get(word)
        text = new_words.convert_tokens_to_string([word])
        pieces = [known] if known is not None else old_words.encode(text, add_special_tokens=False)
        tables[0][index] = tables[1][pieces].mean(0)
