"""What the loss reads of a rollout: groups that are learned from, those of a pass together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from groundrl.losses import LossInputs
from groundrl.policy.layout import Branch, split_group
from groundrl.policy.prompt import Prompt
from groundrl.policy.scoring import TokenLogprobs
from groundrl.policy.vision_store import VisionFeatures
from groundrl.records import Completion
from groundrl.rollout.sampler import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group that is learned from."""

    prompt: Prompt
    features: VisionFeatures
    completions: list[Branch]
    sampler_logprobs: list[tuple[float, ...]]
    advantages: Float[Tensor, "G"]
    truncated: list[bool]

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
            for part in split_group(len(self.prompt.prefix.tokens), lengths, budget)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Groups that share one forward pass, with what is computed before the first update."""

    groups: list[Group]
    old_logprobs: Float[Tensor, "B T"] | None
    """None on policy: the ratio is then exactly 1."""
    ref_logprobs: Float[Tensor, "B T"] | None
    """None without a KL term."""


def learning_groups(
    rollout: Rollout, advantages: Float[Tensor, "P G"], equal: Sequence[bool]
) -> dict[int, Group]:
    """By its number, each group whose rewards are not all ``equal``: those would add KL gradients
    only. The others' images are not looked at."""
    chosen = [index for index, same in enumerate(equal) if not same]
    found: dict[int, Group] = {}
    for index, features in zip(chosen, rollout.features(chosen), strict=True):
        completions = rollout.groups[index].completions
        found[index] = Group(
            prompt=rollout.prompts[index],
            features=features,
            completions=[Branch(tokens=completion.tokens) for completion in completions],
            sampler_logprobs=[completion.logprobs for completion in completions],
            advantages=advantages[index],
            truncated=[completion.truncated for completion in completions],
        )
    return found


def completion_mask(completions: Sequence[Completion]) -> Bool[Tensor, "B T"]:
    """True on the tokens of each completion, padded to the longest."""
    lengths = torch.tensor([len(completion.tokens) for completion in completions])
    return torch.arange(int(lengths.max())) < lengths[:, None]


def truncated_mask(completions: Sequence[Completion]) -> Bool[Tensor, "B"]:
    """Which completions were cut off."""
    return torch.tensor([completion.truncated for completion in completions])


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
        truncated=torch.tensor([x for g in batch.groups for x in g.truncated], device=device),
    )


def minibatches(groups: int, count: int) -> list[range]:
    """Numbers of the groups in ``count`` parts of nearly equal size, empty ones left out."""
    bounds = [round(groups * k / count) for k in range(count + 1)]
    return [range(a, b) for a, b in pairwise(bounds) if b > a]
