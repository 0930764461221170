"""The rollout of the next step, sampled while the current step learns."""

from typing import Any

import torch

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example
from groundrl.rollout.base import SampledTokens
from groundrl.rollout.sampler import PendingRollout, Sampler
from groundrl.running.parallel import all_gather, rank, world_size


class RolloutPrefetch:
    """Holds at most one rollout that was started before its step."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler
        self._pending: PendingRollout | None = None
        self._restored: list[list[SampledTokens]] | None = None

    def start(self, policy: Policy, examples: list[Example], step: int) -> None:
        """Start sampling for a later step, with the current weights."""
        self._pending = self.sampler.start(policy, examples, step)

    def pop_or_start(self, policy: Policy, examples: list[Example], step: int) -> PendingRollout:
        """The rollout of ``step``: started ahead, restored from the checkpoint, or started now."""
        pending, restored = self._pending, self._restored
        self._pending = self._restored = None
        if restored is not None:
            restored = restored[rank() :: world_size()]
        return pending or self.sampler.start(policy, examples, step, known=restored)

    def state(self) -> list[list[dict[str, Any]]] | None:
        """The completed groups of all processes as plain data, for a checkpoint; None when none was
        started.

        Waits for them: after a restart the weights that sample them no longer exist.
        """
        if self._pending is None:
            return None
        shares = all_gather(self._pending.wait())
        groups = [group for of_ranks in zip(*shares, strict=True) for group in of_ranks]
        return [[_to_plain(one) for one in group] for group in groups]

    def restore(self, state: list[list[dict[str, Any]]] | None) -> None:
        """Use a ``state`` for the next rollout."""
        if state is not None:
            self._restored = [[_from_plain(one) for one in group] for group in state]

    def close(self) -> None:
        """Stop the rollout that is being sampled."""
        if self._pending is not None:
            self._pending.groups.close()
            self._pending = None


def _to_plain(sampled: SampledTokens) -> dict[str, Any]:
    """As tensors, which take a third of the room that numbers in a text would."""
    return {
        "tokens": torch.tensor(sampled.tokens, dtype=torch.long),
        "logprobs": torch.tensor(sampled.logprobs, dtype=torch.float64),  # a Python float
        "truncated": sampled.truncated,
    }


def _from_plain(plain: dict[str, Any]) -> SampledTokens:
    return SampledTokens(
        tokens=tuple(plain["tokens"].tolist()),
        logprobs=tuple(plain["logprobs"].tolist()),
        truncated=plain["truncated"],
    )
