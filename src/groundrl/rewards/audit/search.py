"""A search for cheats that the bank does not know: it edits honest completions and climbs.

Among the completions that the yardstick calls worse than an honest one it looks for those that the
reward pays most, compared with that honest one; among those that pay as much, for the worst.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groundrl.answers.attempt import Attempt
from groundrl.records import Score
from groundrl.rewards.audit.cases import Case
from groundrl.rewards.audit.mutations import Draft, choose_mutations, mutate
from groundrl.rewards.audit.yardstick import Quality, find_shortfalls, measure
from groundrl.rewards.base import RewardSum

CLIMB_STEPS = 50
"""Edits after which a climb starts again from the right answer."""
ROUNDING = 1e-9
"""By which a figure may be higher without being better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A completion with its reward and its quality."""

    name: str
    attempt: Attempt
    score: Score
    quality: Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A completion that is worse than an honest one, and what the two are paid."""

    case: Case
    honest: Judged
    cheat: Judged
    worse_in: frozenset[str]
    tolerance: float

    @property
    def surplus(self) -> float:
        """What it earns above the honest one; negative where cheating does not pay."""
        return self.cheat.score.total - self.honest.score.total

    @property
    def pays(self) -> bool:
        """Whether it earns as much as the honest one, minus the tolerance."""
        return self.surplus >= -self.tolerance

    @property
    def shortfall(self) -> float:
        """How much worse it is: the sum over the aspects in which it is."""
        return sum(self.honest.quality[a] - self.cheat.quality[a] for a in self.worse_in)

    @property
    def rank(self) -> tuple[float, float, int]:
        """By reward up to what pays, then by how bad it is, then by how short."""
        length = len(self.cheat.attempt.completion.text)
        return min(self.surplus, -self.tolerance), round(self.shortfall, 1), -length


def search(
    reward: RewardSum,
    case: Case,
    honest: Sequence[Judged],
    measured: frozenset[str],
    *,
    steps: int,
    seed: int,
    tolerance: float,
) -> Found | None:
    """The best cheat in ``steps`` edits; None where no edit made anything worse, and for captions,
    which no edit knows.

    ``measured``: the aspects that count. Equal arguments, equal result.
    """
    mutations = choose_mutations(measured)
    if not mutations or case.is_caption:
        return None
    rng = np.random.default_rng((seed, case.number))
    gold = Draft(reasoning=case.reasoning, answer=case.answer)
    draft, standing, best = gold, None, None
    for step in range(steps):
        if step % CLIMB_STEPS == 0:
            draft, standing = gold, None
        edited = mutate(draft, case, mutations, rng)
        attempt = case.read(edited.write(case))
        cheat = Judged(
            name="found",
            attempt=attempt,
            score=reward.score([attempt])[0].score,
            quality=measure(attempt),
        )
        found = _compare(case, cheat, honest, measured, tolerance)
        if found is None:
            draft = edited if standing is None else draft
        elif standing is None or found.rank >= standing.rank:
            draft, standing = edited, found
            best = found if best is None or found.rank > best.rank else best
    return best


def _compare(
    case: Case,
    cheat: Judged,
    honest: Sequence[Judged],
    measured: frozenset[str],
    tolerance: float,
) -> Found | None:
    """With the honest completion beside which it is paid best; None unless it is worse than one in
    something that is measured, and better in nothing that is."""
    pairs = [
        Found(case=case, honest=one, cheat=cheat, worse_in=worse_in, tolerance=tolerance)
        for one in honest
        if (worse_in := find_shortfalls(cheat.quality, one.quality) & measured)
        and not _is_better(cheat.quality, one.quality, measured)
    ]
    return max(pairs, key=lambda pair: pair.rank, default=None)


def _is_better(quality: Quality, other: Quality, measured: frozenset[str]) -> bool:
    return any(
        quality[aspect] > other[aspect] + ROUNDING
        for aspect in measured & quality.keys() & other.keys()
    )
