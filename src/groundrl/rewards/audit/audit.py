"""Scores the bank under one reward, and searches for what the bank does not know."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groundrl.boxes import Frame
from groundrl.rewards.audit.bank import BankEntry, CaseEntries
from groundrl.rewards.audit.mutations import choose_mutations
from groundrl.rewards.audit.search import Found, Judged, search
from groundrl.rewards.base import RewardSum, measured_by

SEARCHED = "found by search"
"""The name under which what the search found stands among cheats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one completion of the bank earns."""

    entry: BankEntry
    judged: Judged
    lowest: Judged
    """The honest completion about the same sample that earns least."""
    is_cheat: bool
    """Whether it is worse than an honest one in something that the reward claims to measure."""
    pays: bool
    """Whether it is a cheat that earns as much as ``lowest``, minus the tolerance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was found about one reward."""

    name: str
    measured: frozenset[str]
    """The aspects that its terms of positive weight measure."""
    findings: tuple[Finding, ...]
    declared: frozenset[str]
    """The cheats that its terms are known to pay: ``gamed_by`` of ablations."""
    searched: tuple[Found, ...]
    """The best cheat that the search found for each sample, best first."""
    steps: int
    """Completions that the search looked at, all samples together."""

    @property
    def paying(self) -> list[str]:
        """Names of the cheats that pay, each once; "found by search" stands for the search's."""
        names = [finding.entry.name for finding in self.findings if finding.pays]
        found = [SEARCHED for one in self.searched if one.pays]
        return list(dict.fromkeys([*names, *found]))

    @property
    def undeclared(self) -> list[str]:
        """Those of ``paying`` that no term declares."""
        return [name for name in self.paying if name not in self.declared]


def audit(
    name: str,
    reward: RewardSum,
    bank: Sequence[CaseEntries],
    *,
    steps: int,
    seed: int,
    tolerance: float,
) -> Audit:
    """Score the bank and search ``steps`` edits per sample.

    A cheat counts where it is worse in something that the reward claims to measure: a right answer
    with wrong boxes does not count against a reward for answers. ``tolerance``: how much less than
    an honest completion a cheat may earn and still pay.
    """
    measured = measured_aspects(reward)
    # Completions of the bank write pixels, whatever the model writes.
    reward = replace(reward, frame=Frame.PIXEL)
    findings: list[Finding] = []
    searched: list[Found] = []
    for entries in bank:
        all_judged = _judge(reward, (*entries.honest, *entries.cheats))
        honest = _comparable(all_judged[: len(entries.honest)])
        lowest = min(honest, key=lambda one: one.score.total)
        for entry, judged in zip((*entries.honest, *entries.cheats), all_judged, strict=True):
            is_cheat = bool(entry.worse_in & measured)
            enough = judged.score.total >= lowest.score.total - tolerance
            findings.append(
                Finding(
                    entry=entry,
                    judged=judged,
                    lowest=lowest,
                    is_cheat=is_cheat,
                    pays=is_cheat and enough,
                )
            )
        options = {"steps": steps, "seed": seed, "tolerance": tolerance}
        found = search(reward, entries.case, honest, measured, **options)
        searched += [] if found is None else [found]
    return Audit(
        name=name,
        measured=measured,
        declared=declared_cheats(reward),
        findings=tuple(findings),
        searched=tuple(sorted(searched, key=lambda found: found.rank, reverse=True)),
        steps=steps * len(bank) if choose_mutations(measured) else 0,
    )


def measured_aspects(reward: RewardSum) -> frozenset[str]:
    """What the terms with a positive weight measure (``base.measured_by``)."""
    terms = [term for term in reward.terms.values() if term.weight > 0]
    return frozenset[str]().union(*(measured_by(term) for term in terms))


def declared_cheats(reward: RewardSum) -> frozenset[str]:
    """The cheats that the terms declare: ``gamed_by``."""
    known = (getattr(term, "gamed_by", frozenset[str]()) for term in reward.terms.values())
    return frozenset[str]().union(*known)


def _judge(reward: RewardSum, entries: Sequence[BankEntry]) -> list[Judged]:
    rewarded = reward.score([entry.attempt for entry in entries])
    return [
        Judged(name=entry.name, attempt=entry.attempt, score=one.score, quality=entry.quality)
        for entry, one in zip(entries, rewarded, strict=True)
    ]


def _comparable(honest: Sequence[Judged]) -> list[Judged]:
    """Those to which the same terms apply as to the first: where a term finds nothing to judge it
    pays nothing, which says nothing about honesty."""

    def applying(one: Judged) -> set[str]:
        return {name for name, part in one.score.parts.items() if part is not None}

    return [one for one in honest if applying(one) == applying(honest[0])]
