"""What the end of a sweep says: its tables and verdicts, on the screen and as files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from groundrl.report.runs import Run, find_runs
from groundrl.report.sweep import (
    Published,
    Study,
    change_table,
    choose_metrics,
    failures,
    published_table,
    sweep_table,
    write_sweep,
)
from groundrl.report.tables import Table, fit_width, is_headline, to_text, wrap_cells
from groundrl.studies.conclusions import Conclusion
from groundrl.studies.rankings import Ranking
from groundrl.studies.ranks import rank_runs
from groundrl.studies.verdicts import Verdict, describe, judge_all, verdict_table, write_verdicts

NO_RANKINGS: Final[Mapping[str, Ranking]] = MappingProxyType({})
CELL, PAGE_CELL = 26, 42
"""Characters in a line of a claim or a verdict: their table is 100 wide in a terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSummary:
    """What is known about a sweep once its jobs have ended."""

    text: str
    """For the terminal: verdicts, tables, what else there is, the paths."""
    runs: Sequence[Run]
    failed: Table
    """Those that did not finish, and why."""
    verdicts: Sequence[Verdict]
    """One per conclusion."""


def report_sweep(
    root: Path,
    published: Published,
    conclusions: Sequence[Conclusion],
    width: int,
    rankings: Mapping[str, Ranking] = NO_RANKINGS,
) -> SweepSummary:
    """Rank and judge the runs below ``root``; write ``table.md``, ``table.html`` and, where
    something is concluded, ``verdict.json``. ``width``: columns of the terminal. Raises UserError
    without runs.
    """
    found = find_runs(root)
    ranked, bases = rank_runs(rankings, found)
    runs, verdicts = [*ranked, *bases], judge_all(conclusions, ranked)
    study = Study(
        title=root.resolve().name,
        metrics=list(dict.fromkeys([*(one.metric for one in conclusions), *rankings])),
        published=published,
        conclusions=wrap_cells(verdict_table(verdicts), PAGE_CELL),
        explained=[describe(verdict) for verdict in verdicts],
    )
    paths = write_sweep(root, runs, study)
    paths += (write_verdicts(root, verdicts),) if verdicts else ()
    main, others = choose_metrics(runs, study)
    tables = [
        wrap_cells(verdict_table(verdicts), CELL),
        sweep_table(runs, main, published),
        change_table(runs, main),
        published_table(published),
    ]
    fitted = [fit_width(table, width) for table in tables if table.rows]
    parts = [to_text(table) for table, _ in fitted]
    parts += _name_others([head for _, heads in fitted for head in heads], others)
    return SweepSummary(
        text="\n\n".join([*parts, "\n".join(map(str, [*paths, root]))]),
        runs=found,
        failed=failures(found),
        verdicts=verdicts,
    )


def _name_others(left_out: Sequence[str], metrics: Sequence[str]) -> list[str]:
    """One line about what stands in the page only; the metrics of kinds are counted."""
    named = list(dict.fromkeys([*left_out, *filter(is_headline, metrics)]))
    more = len({*metrics} - {*named})
    listed = [*named, f"{more} more metrics"] if more else named
    return [f"Only in table.html: {', '.join(listed)}"] if listed else []
