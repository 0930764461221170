"""What a campaign leaves: one plain table, and a status that says whether all was as promised."""

import json
import shlex
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from groundrl.report.tables import Table, to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One attack."""

    name: str
    expected: str
    seen: str
    failed: bool

    @classmethod
    def of(cls, name: str, expected: str, problems: Sequence[str]) -> "Case":
        """Seen is as expected where there are no problems."""
        seen = "; ".join(problems) or "as expected"
        return cls(name=name, expected=expected, seen=seen, failed=bool(problems))


def report(cases: Iterable[Case], command: str = "", kept: Path | None = None) -> int:
    """Tell each case as it ends, then print the table. Returns the exit status. ``kept``: a file
    that gets each case as it ends, with the command that led to it."""
    start, found = time.monotonic(), list[Case]()
    if kept is not None:
        kept.write_text("")
    for case in cases:
        found.append(case)
        if kept is not None:
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"command": command} | asdict(case)) + "\n")
        mark = "FAILED" if case.failed else "ok"
        print(f"{mark:6} {case.name}: {case.seen}", file=sys.stderr, flush=True)
    rows = sorted(found, key=lambda case: not case.failed)
    cells = tuple((one.name, one.expected, one.seen) for one in rows)
    failed = sum(one.failed for one in found)
    print(to_text(Table(columns=("case", "expected", "seen"), rows=cells)))
    seconds = time.monotonic() - start
    print(f"{len(found)} cases, {failed} failed, {seconds:.0f} s")
    return int(failed > 0 or not found)


def main(
    about: str | None,
    campaign: Callable[[Namespace], Iterable[Case]],
    size: int,
    meaning: str,
    parts: Sequence[str],
) -> None:
    """Run a campaign from the command line and exit; ``size`` is the usual one, and ``meaning``
    what it counts."""
    parser = ArgumentParser(description=about)
    parser.add_argument("--size", type=int, default=size, help=f"{meaning} (default {size})")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART")
    parser.add_argument("--kept", type=Path, help="a file for the cases, as JSONL")
    args = parser.parse_args()
    name = campaign.__module__ if campaign.__module__ != "__main__" else Path(sys.argv[0]).stem
    typed = [*("--size", str(args.size)), *("--seed", str(args.seed)), *("--only", *args.only)]
    sys.exit(report(campaign(args), f"{name} {shlex.join(typed)}", args.kept))
