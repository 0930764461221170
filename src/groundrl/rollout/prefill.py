"""Prefill of prompts; the images of several questions about the same images are prefilled once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.cache_utils import Cache

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.shared_prefix.layout import Prefix
from groundrl.policy.vision_store import VisionFeatures
from groundrl.rollout.cache import empty_cache, select_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefilledPrompts:
    """The result of a forward pass over P token sequences."""

    cache: Cache
    mask: Int[Tensor, "P L"]
    """0 on padding."""
    last_hidden: Float[Tensor, "P width"]
    """Hidden state of the last token of each sequence."""


def prefill(
    policy: Policy, prompts: list[Prompt], features: list[VisionFeatures]
) -> PrefilledPrompts:
    """One row per prompt."""
    prefixes = [prompt.prefix for prompt in prompts]
    keys = [image_prefix_key(prompt) for prompt in prompts]
    rows = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    if len(rows) == len(prompts) or not can_share_image_prefixes(policy):
        return _prefill_tokens(policy, prefixes, features)
    first = [keys.index(key) for key in rows]
    images = _prefill_tokens(
        policy,
        [_part(prefixes[i], 0, len(keys[i].tokens)) for i in first],
        [features[i] for i in first],
    )
    row = torch.tensor([rows[key] for key in keys], device=policy.device)
    select_rows(images.cache, row)
    images = PrefilledPrompts(
        cache=images.cache, mask=images.mask[row], last_hidden=images.last_hidden[row]
    )
    questions = [_part(prefix, len(key.tokens)) for prefix, key in zip(prefixes, keys, strict=True)]
    return _prefill_tokens(policy, questions, [], images)


class ImagePrefixKey(NamedTuple):
    """Prompts with equal keys have the same images and the same tokens up to the last of them."""

    images: tuple[str, ...]
    """Keys of the images."""
    tokens: tuple[int, ...]
    """Up to the end of the last image."""


def image_prefix_key(prompt: Prompt) -> ImagePrefixKey:
    """The key of one prompt."""
    size = int(prompt.prefix.images.nonzero().max()) + 1
    return ImagePrefixKey(
        images=tuple(image.source.key for image in prompt.images),
        tokens=tuple(prompt.prefix.tokens[:size].tolist()),
    )


def can_share_image_prefixes(policy: Policy) -> bool:
    """False for recurrent layers and for sliding windows: rows have padding between images and
    question, which would change the state and count as tokens of the window."""
    return policy.can_share_prefixes and policy.spec.window is None


def order_by_length(prompts: list[Prompt]) -> list[int]:
    """Indices of the prompts, so that prompts of similar length, which need little padding, and
    prompts with equal images are neighbours."""
    keys = [image_prefix_key(prompt) for prompt in prompts]
    lengths = [len(prompt.prefix.tokens) for prompt in prompts]
    longest: dict[ImagePrefixKey, int] = {}
    for key, length in zip(keys, lengths, strict=True):
        longest[key] = max(length, longest.get(key, 0))
    number = {key: i for i, key in enumerate(longest)}
    order = [(longest[key], number[key], length) for key, length in zip(keys, lengths, strict=True)]
    return sorted(range(len(prompts)), key=order.__getitem__)


def _part(prefix: Prefix, start: int, stop: int | None = None) -> Prefix:
    part = slice(start, stop)
    return Prefix(
        tokens=prefix.tokens[part],
        positions=prefix.positions[:, part],
        images=prefix.images[part],
    )


def _prefill_tokens(
    policy: Policy,
    sequences: Sequence[Prefix],
    features: list[VisionFeatures],
    before: PrefilledPrompts | None = None,
) -> PrefilledPrompts:
    """One forward pass over sequences, padded on the left, that continue the rows of ``before``."""
    longest = max(len(sequence.tokens) for sequence in sequences)
    shape = (len(sequences), longest)
    ids = torch.full(shape, policy.pad_token)
    mask = torch.zeros(shape, dtype=torch.long)
    images = torch.zeros(shape, dtype=torch.long)
    positions = torch.zeros((len(sequences[0].positions), *shape), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        start = longest - len(sequence.tokens)
        ids[row, start:], mask[row, start:] = sequence.tokens, 1
        images[row, start:] = sequence.images
        positions[:, row, start:] = sequence.positions
    device = policy.device
    mask = mask.to(device)
    if before is not None:
        mask = torch.cat([before.mask, mask], dim=1)
    cache = empty_cache(policy) if before is None else before.cache
    types = policy.spec.type_ids(images, images < 0)
    if policy.spec.images_see_themselves:
        types = {"token_type_ids": images.sign()}
    output = policy.vlm.model(
        input_ids=ids.to(device),
        position_ids=policy.positions(positions),
        attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
        **({"mm_encoder_outputs": policy.tower.outputs(features)} if features else {}),
        **{name: x.to(device) for name, x in types.items()},
    )
    return PrefilledPrompts(cache=cache, mask=mask, last_hidden=output.last_hidden_state[:, -1])
