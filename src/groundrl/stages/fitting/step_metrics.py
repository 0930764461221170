"""What a GRPO step logs about its rollout and its duration."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from groundrl.advantages import TermAdvantages
from groundrl.boxes import is_inside
from groundrl.errors import UserError
from groundrl.policy.vision import VisionTower
from groundrl.rewards.terms.format import follows_format
from groundrl.running.parallel import world_size
from groundrl.stages.scoring import ScoredRollout

logger = logging.getLogger(__name__)

ROLLOUT_METRICS = {
    "reward/total": "Mean total reward of the step's completions, weighted terms summed.",
    "reward/<term>": "Mean unweighted value of one reward term, over completions it applies to.",
    "reward/std": "Mean over groups of the standard deviation of the total reward.",
    "group/zero_variance_frac": "Share of groups whose rewards are all equal when first drawn.",
    "group/varies_<term>": "Share of groups in which a term differs between completions.",
    "group/rescued_frac": "Share of groups whose rewards differ since they were drawn anew.",
    "advantage/mean": "Mean advantage over completions; 0 up to rounding.",
    "advantage/abs_mean": "Mean absolute advantage over completions.",
    "advantage/variance_<term>": "Share of a term in the variance of the advantage.",
    "advantage/decides_<term>": "Share of the pairs in a group whose order a term decides.",
    "reward/<term>_unanswered": "Share of completions that a term could not rate.",
    "completion/length": "Mean tokens per completion.",
    "completion/truncated_frac": "Share of completions cut off at the token limit.",
    "completion/format_frac": "Share of completions in the required format.",
    "box/per_answer": "Mean boxes per completion.",
    "box/off_frame_frac": "Share of boxes that leave the image.",
    "box/parse_failure_frac": "Share of completions that begin a box which cannot be read.",
}
"""Name -> meaning. ``<term>``: the name of the term in ``reward.terms``."""

TIME_METRICS = {
    "time/rollout": "Seconds of the step spent sampling, or waiting for what is sampled ahead.",
    "time/reward": "Seconds of the step spent waiting for scores after the rollout.",
    "time/update": "Seconds of the step spent in forward and backward passes.",
    "time/vision": "Seconds of rollout and update in which the vision tower or its store is asked.",
    "time/step": "Seconds of the whole step.",
    "tokens/per_second": "Completion tokens sampled per second of the whole step.",
}
"""Name -> meaning."""


def rollout_metrics(scored: ScoredRollout) -> dict[str, float]:
    """Means over the completions, of a reward term over those that it applies to.

    ``scored``: the first rollout of the step. Resampling keeps only groups whose rewards differ, so
    the result of it does not measure the policy.
    """
    rewards = scored.rewards
    rewarded = [one for group in scored.attempts for one in group]
    attempts = [one.attempt for one in rewarded]
    boxes = [(a, grounding.box) for a in attempts for grounding in a.parsed.groundings]
    parts: dict[str, list[float]] = {}
    for one in rewarded:
        for name, value in one.score.parts.items():
            if value is not None:
                parts.setdefault(name, []).append(value)
    return {
        "reward/total": rewards.mean().item(),
        "reward/std": rewards.std(dim=1).mean().item(),
        **{f"reward/{name}": _mean(values) for name, values in parts.items()},
        **{
            f"reward/{name}_unanswered": len(reasons) / len(attempts)
            for name, reasons in scored.unanswered().items()
        },
        "group/zero_variance_frac": _mean([float(equal) for equal in scored.zero_variance]),
        "completion/length": _mean([float(len(a.completion.tokens)) for a in attempts]),
        "completion/truncated_frac": _mean([float(a.completion.truncated) for a in attempts]),
        "completion/format_frac": _mean([float(follows_format(a)) for a in attempts]),
        "box/per_answer": len(boxes) / len(attempts),
        "box/off_frame_frac": _mean([float(not is_inside(box, a.sizes)) for a, box in boxes]),
        "box/parse_failure_frac": _mean([float(bool(a.parsed.damaged)) for a in attempts]),
    }


def advantage_metrics(compared: TermAdvantages, terms: Sequence[str]) -> dict[str, float]:
    """Of the completions that are learned from, by the names of the terms."""
    variance = dict(zip(terms, compared.variance_shares().tolist(), strict=True))
    decides = dict(zip(terms, compared.deciding_shares().tolist(), strict=True))
    varies = dict(zip(terms, compared.varying_shares().tolist(), strict=True))
    return {
        "advantage/mean": compared.total.mean().item(),
        "advantage/abs_mean": compared.total.abs().mean().item(),
        **{f"advantage/variance_{name}": share for name, share in variance.items()},
        **{f"advantage/decides_{name}": share for name, share in decides.items()},
        **{f"group/varies_{name}": share for name, share in varies.items()},
    }


def check_answered(scored: ScoredRollout, most: float) -> None:
    """Warn of the completions that a term could not rate. Raises UserError where their share is
    above ``most``."""
    count = sum(map(len, scored.attempts))
    for name, reasons in scored.unanswered().items():
        said = f"reward.terms.{name} could not rate {len(reasons)} of {count} completions"
        why = Counter(reasons).most_common(1)[0][0]
        if len(reasons) > most * count:
            raise UserError(
                f"{said}: {why}. Mend what it asks and go on with resume=<run>, or type "
                f"reward.max_unanswered=0.5 to allow a greater share than {most:g}"
            )
        logger.warning("%s: %s", said, why)


def rescued_share(first: ScoredRollout, resampled: ScoredRollout) -> float:
    """``group/rescued_frac``."""
    rescued = sum(first.zero_variance) - sum(resampled.zero_variance)
    return rescued / len(first.attempts)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


class StepTimes:
    """Wall seconds of one step and of its parts."""

    def __init__(self, tower: VisionTower) -> None:
        """The step starts now; ``tower`` counts the seconds spent on images."""
        self.seconds: dict[str, float] = {}
        self.tokens = 0
        """Sampled so far."""
        self._start = time.perf_counter()
        self._tower = tower
        self._tower_start = tower.seconds

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Add the wall time of the block to ``time/<part>``."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds

    def metrics(self) -> dict[str, float]:
        """``TIME_METRICS`` of the step, which ends now."""
        step = time.perf_counter() - self._start
        return {
            **{f"time/{part}": seconds for part, seconds in self.seconds.items()},
            "time/vision": self._tower.seconds - self._tower_start,
            "time/step": step,
            # The other processes sample about as many tokens.
            "tokens/per_second": self.tokens * world_size() / step,
        }
