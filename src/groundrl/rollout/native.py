"""The native engine: prompts are prefilled once per group, then G completions decode together."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision import VisionFeatures
from groundrl.rollout.base import Drawn, Sampling
from groundrl.rollout.cache import Past, empty_cache, past_of
from groundrl.rollout.randomness import Draws, choose

ENDED_SHARE = 0.25
"""Of the rows of a batch: when so many have ended, the others go on in a smaller batch."""


class NativeEngine:
    """Samples with the policy's own weights, in the policy's own process."""

    def __init__(self, max_rows: int = 128) -> None:
        self.max_rows = max_rows
        """Completions that decode together; more rows cost memory, fewer cost speed."""

    @torch.no_grad()
    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: list[VisionFeatures],
        draws: Draws,
        sampling: Sampling,
    ) -> list[list[Drawn]]:
        """G completions for each of P prompts."""
        uniforms = draws.uniforms(sampling.max_tokens)
        group = draws.group_size
        at_once = max(1, self.max_rows // group)
        # Prompts of similar length decode together, so that padding stays short.
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i].prefix.tokens))
        drawn: dict[int, list[Drawn]] = {}
        for start in range(0, len(order), at_once):
            chosen = order[start : start + at_once]
            rows = _decode(
                policy,
                [prompts[i] for i in chosen],
                [features[i] for i in chosen],
                uniforms[chosen].flatten(0, 1),
                sampling,
            )
            for place, i in enumerate(chosen):
                drawn[i] = rows[place * group : (place + 1) * group]
        return [drawn[i] for i in range(len(prompts))]


@dataclass(slots=True)
class _Rows:
    """The rows that decode together; some may have ended."""

    past: Past
    position: Int[Tensor, "axes B"]
    logits: Float[Tensor, "B V"]
    row: Int[Tensor, "B"]
    """Which completion each row is."""

    def keep(self, going: Bool[Tensor, "B"]) -> None:
        """Drop the rows that have ended."""
        index = going.nonzero()[:, 0]
        self.past.keep(index)
        self.position, self.row = self.position[:, index], self.row[index]


def _decode(
    policy: Policy,
    prompts: list[Prompt],
    features: list[VisionFeatures],
    uniforms: Float[Tensor, "B T"],
    sampling: Sampling,
) -> list[Drawn]:
    group = uniforms.shape[0] // len(prompts)
    rows = _prefill(policy, prompts, features, group)
    tokens = torch.full(uniforms.shape, policy.pad_token)
    logprobs = torch.zeros(uniforms.shape)
    length = torch.full((len(uniforms),), uniforms.shape[1])
    ended = torch.zeros(len(uniforms), dtype=torch.bool)
    for step in range(uniforms.shape[1]):
        token, logprob = draw(rows.logits, uniforms[rows.row.cpu(), step], sampling)
        at = rows.row.cpu()
        going = ~ended[at]
        tokens[at[going], step] = token.cpu()[going]
        logprobs[at[going], step] = logprob.cpu()[going]
        ending = at[going & (token.cpu() == policy.eos_token)]
        length[ending], ended[ending] = step + 1, True
        going = ~ended[at]
        if not going.any() or step + 1 == uniforms.shape[1]:
            break
        if going.sum() <= (1 - ENDED_SHARE) * len(going):
            going = going.to(token.device)
            rows.keep(going)
            token = token[going]
        _advance(policy, rows, token)
    return [
        Drawn(
            tokens=tuple(tokens[i, : length[i]].tolist()),
            logprobs=tuple(logprobs[i, : length[i]].tolist()),
            truncated=not bool(ended[i]),
        )
        for i in range(len(uniforms))
    ]


def _prefill(
    policy: Policy, prompts: list[Prompt], features: list[VisionFeatures], group: int
) -> _Rows:
    """One row per prompt, padded on the left; then G rows per prompt."""
    longest = max(len(prompt.prefix.tokens) for prompt in prompts)
    shape = (len(prompts), longest)
    ids = torch.full(shape, policy.pad_token)
    mask = torch.zeros(shape, dtype=torch.long)
    images = torch.zeros(shape, dtype=torch.long)
    positions = torch.zeros((len(prompts[0].prefix.positions), *shape), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        start = longest - len(prompt.prefix.tokens)
        ids[row, start:], mask[row, start:] = prompt.prefix.tokens, 1
        images[row, start:] = prompt.prefix.images
        positions[:, row, start:] = prompt.prefix.positions
    device = policy.device
    mask, positions = mask.to(device), positions.to(device)
    cache = empty_cache(policy)
    seen = policy.spec.images_see_themselves
    output = policy.vlm.model(
        input_ids=ids.to(device),
        position_ids=policy.positions(positions),
        attention_mask=mask,
        mm_encoder_outputs=policy.tower.outputs(features),
        past_key_values=cache,
        use_cache=True,
        **({"token_type_ids": images.sign().to(device)} if seen else {}),
    )
    logits = policy.logits(output.last_hidden_state[:, -1])
    return _Rows(
        past=past_of(policy, cache, mask, group),
        position=(positions.amax((0, 2)) + 1).repeat_interleave(group).expand(len(positions), -1),
        logits=logits.repeat_interleave(group, 0),
        row=torch.arange(len(prompts) * group, device=device),
    )


def _advance(policy: Policy, rows: _Rows, token: Int[Tensor, "B"]) -> None:
    """Feed one token per row."""
    output = policy.vlm.model(
        input_ids=token[:, None],
        position_ids=policy.positions(rows.position[:, :, None]),
        use_cache=True,
        **rows.past.inputs(),
    )
    rows.position = rows.position + 1
    rows.logits = policy.logits(output.last_hidden_state[:, -1])


def draw(
    logits: Float[Tensor, "B V"], uniform: Float[Tensor, "B"], sampling: Sampling
) -> tuple[Int[Tensor, "B"], Float[Tensor, "B"]]:
    """A token for each row, and its log-probability at the sampling temperature, uncut."""
    if sampling.temperature == 0:
        token = logits.argmax(-1)
        logprobs = torch.log_softmax(logits, dim=-1)
    else:
        logprobs = torch.log_softmax(logits / sampling.temperature, dim=-1)
        token = choose(cut(logprobs, sampling), uniform.to(logits.device))
    return token, logprobs.gather(-1, token[:, None])[:, 0]


def cut(logprobs: Float[Tensor, "B V"], sampling: Sampling) -> Float[Tensor, "B V"]:
    """Remove tokens outside top-k, the top-p nucleus or above min-p times the likeliest."""
    if sampling.top_k:
        smallest = logprobs.topk(min(sampling.top_k, logprobs.shape[-1]), dim=-1).values[:, -1:]
        logprobs = logprobs.masked_fill(logprobs < smallest, -torch.inf)
    if sampling.min_p:
        floor = logprobs.amax(-1, keepdim=True) + torch.tensor(sampling.min_p).log()
        logprobs = logprobs.masked_fill(logprobs < floor, -torch.inf)
    if sampling.top_p < 1:
        ordered, index = logprobs.softmax(-1).sort(dim=-1, descending=True)
        # A token stays while the probability of the likelier ones has not reached top_p.
        drop = ordered.cumsum(-1) - ordered >= sampling.top_p
        logprobs = logprobs.masked_fill(drop.scatter(-1, index, drop), -torch.inf)
    return logprobs
