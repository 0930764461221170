"""The bank: honest completions and cheats about real samples, read and measured once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from groundrl.answers.attempt import Attempt
from groundrl.rewards.audit.answer_cheats import answer_cheats
from groundrl.rewards.audit.box_cheats import box_cheats
from groundrl.rewards.audit.caption_cheats import caption_cheats
from groundrl.rewards.audit.cases import Case
from groundrl.rewards.audit.cheat import Cheat
from groundrl.rewards.audit.honest import write_honest
from groundrl.rewards.audit.statement_cheats import statement_cheats
from groundrl.rewards.audit.text_cheats import text_cheats
from groundrl.rewards.audit.yardstick import IN_WORDS, Quality, is_below, measure

WRITERS: tuple[Callable[[Case], Iterable[Cheat]], ...] = (
    box_cheats,
    answer_cheats,
    text_cheats,
    statement_cheats,
)
"""Who writes cheats about questions; those about captions are of ``caption_cheats``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankEntry:
    """One completion of the bank."""

    name: str
    case: Case
    attempt: Attempt
    quality: Quality
    worse_in: frozenset[str] = frozenset()
    """Aspects in which it is worse than every honest completion; empty for an honest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseEntries:
    """The completions about one sample."""

    case: Case
    honest: tuple[BankEntry, ...]
    cheats: tuple[BankEntry, ...]


def make_bank(cases: Sequence[Case]) -> list[CaseEntries]:
    """All completions, by sample. A cheat that is as good as an honest one is left out."""
    return [_make_entries(case) for case in cases]


def _make_entries(case: Case) -> CaseEntries:
    honest = tuple(
        BankEntry(name=name, case=case, attempt=attempt, quality=measure(attempt))
        for name, text in write_honest(case)
        for attempt in [case.read(text)]
    )
    lowest = {
        aspect: min(entry.quality[aspect] for entry in honest) for aspect in honest[0].quality
    }
    cheats = tuple(
        entry
        for write in ((caption_cheats,) if case.is_caption else WRITERS)
        for cheat in write(case)
        if (entry := _confirm(case, cheat, lowest)).worse_in
    )
    return CaseEntries(case=case, honest=honest, cheats=cheats)


def _confirm(case: Case, cheat: Cheat, lowest: Quality) -> BankEntry:
    """The cheat, worse in those of its aspects that the yardstick confirms."""
    attempt = case.read(cheat.text)
    quality = measure(attempt)
    worse_in = frozenset(
        aspect
        for aspect in cheat.worse_in
        if (is_below(quality, lowest, aspect) if aspect in quality else aspect in IN_WORDS)
    )
    return BankEntry(
        name=cheat.name, case=case, attempt=attempt, quality=quality, worse_in=worse_in
    )
