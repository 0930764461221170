"""From a scored rollout to the inputs of the loss: groups, forward passes, tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from groundrl.losses import LossInputs
from groundrl.policy.prompt import Prompt
from groundrl.policy.shared_prefix.layout import Branch, pack_rows, row_length, split_group
from groundrl.policy.shared_prefix.scoring import TokenLogprobs
from groundrl.policy.vision_store import VisionFeatures
from groundrl.records import Completion
from groundrl.rollout.sampler import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group whose rewards differ, with all that the loss needs to know of it."""

    prompt: Prompt
    features: VisionFeatures | None
    """None where the tower learns."""
    completions: list[Branch]
    sampler_logprobs: list[tuple[float, ...]]
    advantages: Float[Tensor, "G"] | Float[Tensor, "G T"]
    """Of completions, or of their tokens; T may be longer than any of them."""
    truncated: list[bool]

    def split(self, budget: int) -> list["Group"]:
        """The same completions in groups of at most ``budget`` tokens, prompt and padding included,
        or of one completion."""
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
    """Groups that share one forward pass, with the log-probabilities from before the update."""

    groups: list[Group]
    old_logprobs: Float[Tensor, "B T"] | None
    """None on policy: the ratio is then exactly 1."""
    ref_logprobs: Float[Tensor, "B T"] | None
    """None without a KL term."""


def learning_groups(
    rollout: Rollout, advantages: Float[Tensor, "P G"] | Float[Tensor, "P G T"]
) -> dict[int, Group]:
    """Group number -> group, for the groups whose completions differ in what they earned.

    Groups of zero advantage would add KL gradients only, so their images are not even encoded.
    """
    chosen = advantages.flatten(1).any(dim=1).nonzero()[:, 0].tolist()
    groups: dict[int, Group] = {}
    for index, features in zip(chosen, rollout.fixed_features(chosen), strict=True):
        completions = rollout.groups[index].completions
        groups[index] = Group(
            prompt=rollout.prompts[index],
            features=features,
            completions=[Branch(tokens=completion.tokens) for completion in completions],
            sampler_logprobs=[completion.logprobs for completion in completions],
            advantages=advantages[index],
            truncated=[completion.truncated for completion in completions],
        )
    return groups


def completion_mask(completions: Sequence[Completion]) -> Bool[Tensor, "B T"]:
    """True on the tokens of each completion, padded to the longest."""
    lengths = torch.tensor([len(completion.tokens) for completion in completions])
    return torch.arange(int(lengths.max())) < lengths[:, None]


def truncated_mask(completions: Sequence[Completion]) -> Bool[Tensor, "B"]:
    """True for completions that were cut off at the token limit."""
    return torch.tensor([completion.truncated for completion in completions])


def sampler_logprobs(groups: list[Group]) -> Float[Tensor, "B T"]:
    """The log-probabilities of the rollout engine, padded to the longest completion."""
    rows = [torch.tensor(row) for group in groups for row in group.sampler_logprobs]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def loss_inputs(batch: Batch, scored: TokenLogprobs) -> LossInputs:
    """The inputs of the loss, on the device of the log-probabilities."""
    device = scored.logprobs.device
    advantages = torch.cat([group.advantages for group in batch.groups]).to(device)
    return LossInputs(
        logprobs=scored.logprobs,
        old_logprobs=batch.old_logprobs,
        ref_logprobs=batch.ref_logprobs,
        sampler_logprobs=sampler_logprobs(batch.groups).to(device),
        # Those of tokens are padded to the longest completion of the step.
        advantages=advantages if advantages.ndim == 1 else advantages[:, : scored.mask.shape[1]],
        completion_mask=scored.mask,
        truncated=torch.tensor([x for g in batch.groups for x in g.truncated], device=device),
    )


def pack_groups(
    groups: Sequence[Group], tokens_per_forward: int, prefix_sharing: bool
) -> list[list[Group]]:
    """Groups that share a forward pass of at most ``tokens_per_forward`` tokens, padding included.

    A group that is too long is split; each part then computes the prompt again.
    """
    # Without prefix sharing every completion is a row.
    budget = tokens_per_forward if prefix_sharing else 0
    parts = [part for group in groups for part in group.split(budget)]
    rows = [row_length(part.prompt.prefix, part.completions) for part in parts]
    return [[parts[i] for i in chosen] for chosen in pack_rows(rows, tokens_per_forward)]


def split_evenly(groups: int, count: int) -> list[range]:
    """Numbers of the groups in ``count`` minibatches of nearly equal size, empty ones left out."""
    bounds = [round(groups * k / count) for k in range(count + 1)]
    return [range(a, b) for a, b in pairwise(bounds) if b > a]
