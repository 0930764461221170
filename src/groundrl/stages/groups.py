"""What the loss reads of a rollout: groups, and the groups that share a forward pass."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from groundrl.losses import LossInputs
from groundrl.policy.layout import Branch, split
from groundrl.policy.policy import TokenLogprobs
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision import VisionFeatures
from groundrl.rollout.sampler import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group on its way into the loss."""

    prompt: Prompt
    features: VisionFeatures
    completions: list[Branch]
    sampler_logprobs: list[tuple[float, ...]]
    advantages: Float[Tensor, "G"]
    truncated: list[bool]
    equal: bool
    """All rewards are equal, so nothing is learned from it: it would add KL gradients only."""

    def parts(self, budget: int) -> list["Group"]:
        """The same completions in groups whose rows hold at most ``budget`` tokens, or one
        completion."""
        lengths = [len(completion.tokens) for completion in self.completions]
        return [
            replace(
                self,
                completions=self.completions[part],
                sampler_logprobs=self.sampler_logprobs[part],
                advantages=self.advantages[part],
                truncated=self.truncated[part],
            )
            for part in split(len(self.prompt.prefix.tokens), lengths, budget)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Groups that share one forward pass, with what is computed before the first update."""

    groups: list[Group]
    old_logprobs: Float[Tensor, "B T"] | None
    """None on policy: the ratio is then exactly 1."""
    ref_logprobs: Float[Tensor, "B T"] | None
    """None without a KL term."""


def groups(
    rollout: Rollout, advantages: Float[Tensor, "P G"], equal: Sequence[bool]
) -> list[Group]:
    """Groups with their completions as branches of their prompts."""
    features = rollout.features()
    return [
        Group(
            prompt=rollout.prompts[index],
            features=features[index],
            completions=[Branch(tokens=completion.tokens) for completion in group.completions],
            sampler_logprobs=[completion.logprobs for completion in group.completions],
            advantages=advantages[index],
            truncated=[completion.truncated for completion in group.completions],
            equal=equal[index],
        )
        for index, group in enumerate(rollout.groups)
    ]


def completion_mask(groups: list[Group]) -> Bool[Tensor, "B T"]:
    """True on the tokens of each completion, padded to the longest."""
    lengths = torch.tensor([len(c.tokens) for group in groups for c in group.completions])
    return torch.arange(int(lengths.max())) < lengths[:, None]


def truncated(groups: list[Group]) -> Bool[Tensor, "B"]:
    """Which completions were cut off."""
    return torch.tensor([flag for group in groups for flag in group.truncated])


def sampler_logprobs(groups: list[Group]) -> Float[Tensor, "B T"]:
    """What the rollout engine reported, padded to the longest completion."""
    rows = [torch.tensor(row) for group in groups for row in group.sampler_logprobs]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def loss_inputs(batch: Batch, scored: TokenLogprobs) -> LossInputs:
    """What the loss reads, on the device of the log-probabilities."""
    device = scored.logprobs.device
    return LossInputs(
        logprobs=scored.logprobs,
        old_logprobs=batch.old_logprobs,
        ref_logprobs=batch.ref_logprobs,
        sampler_logprobs=sampler_logprobs(batch.groups).to(device),
        advantages=torch.cat([group.advantages for group in batch.groups]).to(device),
        completion_mask=scored.mask,
        truncated=truncated(batch.groups).to(device),
    )


def parts_of(groups: list[Group], count: int) -> list[list[Group]]:
    """``count`` parts of nearly equal size, empty ones left out."""
    bounds = [round(len(groups) * k / count) for k in range(count + 1)]
    return [groups[a:b] for a, b in pairwise(bounds) if b > a]
