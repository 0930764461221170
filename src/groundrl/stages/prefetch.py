"""The next step's rollout, drawn while this step learns."""

from groundrl.parallel import all_gather, rank
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example
from groundrl.rollout.base import SampledTokens
from groundrl.rollout.sampler import PendingRollout, Sampler


class RolloutPrefetch:
    """At most one rollout that has begun before its step."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler
        self._drawing: PendingRollout | None = None
        self._kept: list[list[SampledTokens]] | None = None

    def begin(self, policy: Policy, examples: list[Example], step: int) -> None:
        """Draw for a later step under the weights of this moment."""
        self._drawing = self.sampler.start(policy, examples, step)

    def take(self, policy: Policy, examples: list[Example], step: int) -> PendingRollout:
        """The step's rollout: as it was begun, from the checkpoint, or else begun now."""
        drawing, kept = self._drawing, self._kept
        self._drawing = self._kept = None
        if kept is not None:
            kept = kept[rank() * len(examples) :][: len(examples)]
        return drawing or self.sampler.start(policy, examples, step, known=kept)

    def state(self) -> list[list[SampledTokens]] | None:
        """The groups of all processes, waited for: the weights that draw them are gone after a
        restart. None when none has begun."""
        if self._drawing is None:
            return None
        return [group for share in all_gather(self._drawing.wait()) for group in share]

    def restore(self, groups: list[list[SampledTokens]] | None) -> None:
        """Go on with a ``state``."""
        self._kept = groups

    def close(self) -> None:
        """Let go of what is under way."""
        if self._drawing is not None:
            self._drawing.groups.close()
            self._drawing = None
