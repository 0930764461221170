"""What a rollout tells: rewards, completions and boxes, under the names of metrics.py."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from groundrl.advantages import zero_variance
from groundrl.boxes import is_inside
from groundrl.records import Score
from groundrl.rewards.base import Attempt, RewardSum
from groundrl.rewards.format import has_format
from groundrl.rollout.sampler import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRollout:
    """P groups of G completions with their rewards."""

    rollout: Rollout
    scores: list[list[Score]]
    advantages: Float[Tensor, "P G"]

    @property
    def rewards(self) -> Float[Tensor, "P G"]:
        """Total rewards."""
        return torch.tensor([[score.total for score in group] for group in self.scores])

    def attempts(self, reward: RewardSum) -> list[list[Attempt]]:
        """The parsed completions, [P][G]."""
        return [
            [reward.attempt(group, completion) for completion in group.completions]
            for group in self.rollout.groups
        ]


def rollout_metrics(scored: ScoredRollout, reward: RewardSum) -> dict[str, float]:
    """Means over the step's completions; a reward term counts where it applies."""
    rewards = scored.rewards
    attempts = [attempt for group in scored.attempts(reward) for attempt in group]
    boxes = [(a, grounding.box) for a in attempts for grounding in a.parsed.groundings]
    parts: dict[str, list[float]] = {}
    for score in (score for group in scored.scores for score in group):
        for name, value in score.parts.items():
            if value is not None:
                parts.setdefault(name, []).append(value)
    return {
        "reward/total": rewards.mean().item(),
        "reward/std": rewards.std(dim=1).mean().item(),
        **{f"reward/{name}": _mean(values) for name, values in parts.items()},
        "advantage/mean": scored.advantages.mean().item(),
        "advantage/abs_mean": scored.advantages.abs().mean().item(),
        "group/zero_variance_frac": zero_variance(rewards).float().mean().item(),
        "completion/length": _mean([float(len(a.completion.tokens)) for a in attempts]),
        "completion/truncated_frac": _mean([float(a.completion.truncated) for a in attempts]),
        "completion/format_frac": _mean([float(has_format(a)) for a in attempts]),
        "box/per_answer": len(boxes) / len(attempts),
        "box/off_frame_frac": _mean([float(not is_inside(box, a.view)) for a, box in boxes]),
        "box/parse_failure_frac": _mean([float(not a.parsed.well_formed) for a in attempts]),
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
