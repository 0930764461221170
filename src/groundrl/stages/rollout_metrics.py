"""What a rollout tells: rewards, completions and boxes, under the names of metrics.py."""

from groundrl.boxes import is_inside
from groundrl.rewards.base import RewardSum
from groundrl.rewards.format import has_format
from groundrl.stages.scoring import ScoredRollout


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
        "group/zero_variance_frac": _mean([float(equal) for equal in scored.equal]),
        "completion/length": _mean([float(len(a.completion.tokens)) for a in attempts]),
        "completion/truncated_frac": _mean([float(a.completion.truncated) for a in attempts]),
        "completion/format_frac": _mean([float(has_format(a)) for a in attempts]),
        "box/per_answer": len(boxes) / len(attempts),
        "box/off_frame_frac": _mean([float(not is_inside(box, a.sizes)) for a, box in boxes]),
        "box/parse_failure_frac": _mean([float(bool(a.parsed.damaged)) for a in attempts]),
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
