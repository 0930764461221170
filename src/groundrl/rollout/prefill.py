"""Reads prompts; what several questions about the same images begin with is read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.cache_utils import Cache

from groundrl.policy.layout import Prefix
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision import VisionFeatures
from groundrl.rollout.cache import empty_cache, select_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefilled:
    """What the policy knows of P texts."""

    cache: Cache
    mask: Int[Tensor, "P L"]
    """0 on padding."""
    last: Float[Tensor, "P width"]
    """Hidden state of the last token."""

    def take(self, rows: Int[Tensor, "B"]) -> "Prefilled":
        """These rows, some of them several times; the cache is changed."""
        select_rows(self.cache, rows)
        return Prefilled(cache=self.cache, mask=self.mask[rows], last=self.last[rows])


def prefill(policy: Policy, prompts: list[Prompt], features: list[VisionFeatures]) -> Prefilled:
    """One row per prompt; with what an answer's first token comes from."""
    wholes = [prompt.prefix for prompt in prompts]
    begun = [beginning(prompt) for prompt in prompts]
    rows = {one: row for row, one in enumerate(dict.fromkeys(begun))}
    if len(rows) == len(prompts) or not can_share(policy):
        return _prefill_texts(policy, wholes, features)
    first = [begun.index(one) for one in rows]
    images = _prefill_texts(
        policy,
        [_part(wholes[i], 0, len(begun[i].tokens)) for i in first],
        [features[i] for i in first],
    )
    row = torch.tensor([rows[one] for one in begun], device=policy.device)
    questions = [_part(x, len(one.tokens)) for x, one in zip(wholes, begun, strict=True)]
    return _prefill_texts(policy, questions, [], images.take(row))


class Beginning(NamedTuple):
    """What questions about the same images have in common."""

    images: tuple[str, ...]
    tokens: tuple[int, ...]
    """Up to the end of the last image."""


def beginning(prompt: Prompt) -> Beginning:
    """Of one prompt."""
    size = int(prompt.prefix.images.nonzero().max()) + 1
    return Beginning(
        images=tuple(image.source.key for image in prompt.images),
        tokens=tuple(prompt.prefix.tokens[:size].tolist()),
    )


def can_share(policy: Policy) -> bool:
    """Rows have padding between beginning and question, which neither a running state nor a window
    that is counted in places of the row would pass over."""
    return policy.in_groups and policy.spec.window is None


def by_length(prompts: list[Prompt]) -> list[int]:
    """Numbers of the prompts, so that those of similar length, which need little padding, and those
    with a common beginning stand together."""
    begun = [beginning(prompt) for prompt in prompts]
    length = [len(prompt.prefix.tokens) for prompt in prompts]
    longest: dict[Beginning, int] = {}
    for one, size in zip(begun, length, strict=True):
        longest[one] = max(size, longest.get(one, 0))
    number = {one: i for i, one in enumerate(longest)}
    keys = [(longest[one], number[one], size) for one, size in zip(begun, length, strict=True)]
    return sorted(range(len(prompts)), key=keys.__getitem__)


def _part(prefix: Prefix, start: int, stop: int | None = None) -> Prefix:
    part = slice(start, stop)
    return Prefix(
        tokens=prefix.tokens[part],
        positions=prefix.positions[:, part],
        images=prefix.images[part],
    )


def _prefill_texts(
    policy: Policy,
    texts: Sequence[Prefix],
    features: list[VisionFeatures],
    before: Prefilled | None = None,
) -> Prefilled:
    """Texts, padded on the left, that go on from what was read before."""
    longest = max(len(text.tokens) for text in texts)
    shape = (len(texts), longest)
    ids = torch.full(shape, policy.pad_token)
    mask = torch.zeros(shape, dtype=torch.long)
    images = torch.zeros(shape, dtype=torch.long)
    positions = torch.zeros((len(texts[0].positions), *shape), dtype=torch.long)
    for row, text in enumerate(texts):
        start = longest - len(text.tokens)
        ids[row, start:], mask[row, start:] = text.tokens, 1
        images[row, start:] = text.images
        positions[:, row, start:] = text.positions
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
    return Prefilled(cache=cache, mask=mask, last=output.last_hidden_state[:, -1])
