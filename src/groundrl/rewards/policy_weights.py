"""Terms that compute with weights of the policy that they are a reward for."""

from dataclasses import replace
from typing import Protocol, runtime_checkable

from groundrl.policy.policy import Policy
from groundrl.rewards.base import BatchedTerm, RewardSum, RewardTerm


@runtime_checkable
class UsesPolicy(Protocol):
    """A term with a model of its own, which may be on the same base."""

    def with_policy(self, policy: Policy) -> RewardTerm | BatchedTerm:
        """The same term; it may read the policy's frozen weights."""
        ...


def lend_weights(reward: RewardSum, policy: Policy) -> RewardSum:
    """The reward with terms that may read the frozen weights of ``policy``."""
    terms = {
        name: term.with_policy(policy) if isinstance(term, UsesPolicy) else term
        for name, term in reward.terms.items()
    }
    return replace(reward, terms=terms)
