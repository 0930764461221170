"""Keeps what benchmarks measured: one line of JSON per run, and the change since the last one.

``python benchmarks/history.py [PROGRAM]`` prints what is kept.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from groundrl.report.tables import Table, number, to_text

HISTORY = Path(__file__).parent / "history.jsonl"
LEAST_CHANGE = 0.02
"""A figure that changed by a smaller share is not printed."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """``--out`` and ``--history``, which every program has."""
    parser.add_argument("--out", type=Path, help="JSON file for the same figures")
    parser.add_argument(
        "--history", type=Path, default=HISTORY, help="JSONL file that the figures are added to"
    )


def keep(options: argparse.Namespace, figures: Mapping[Any, Any]) -> None:
    """Write the figures to ``--out``, add them to ``--history`` and print what changed there.

    Figures are compared with the last run of the same program with the same settings on the same
    machine.
    """
    if options.out is not None:
        options.out.write_text(json.dumps(figures, indent=1) + "\n")
    kept = ("out", "history", "folder", "child")
    settings = {key: str(value) for key, value in vars(options).items() if key not in kept}
    entry = {
        "program": Path(sys.argv[0]).stem,
        "settings": settings,
        "machine": machine(),
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "figures": flat(figures),
    }
    same = ("program", "settings", "machine")
    earlier = [row for row in read(options.history) if all(row[k] == entry[k] for k in same)]
    with open(options.history, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    if earlier:
        print(f"\n{change(earlier[-1], entry)}")


def read(path: Path) -> list[dict[str, Any]]:
    """Every entry, oldest first; none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def change(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """A table of the figures that changed by ``LEAST_CHANGE`` or more."""
    rows = []
    for name, value in now["figures"].items():
        old = before["figures"].get(name)
        if old and abs(value / old - 1) >= LEAST_CHANGE:
            rows.append((name, number(old), number(value), f"{value / old - 1:+.1%}"))
    since = f"{before['commit']} of {before['date'][:10]}"
    if not rows:
        return f"No figure changed by {LEAST_CHANGE:.0%} or more since {since}."
    table = Table(columns=("figure", "before", "now", "change"), rows=tuple(rows))
    return f"Changed since {since}:\n{to_text(table)}"


def flat(figures: Mapping[Any, Any], prefix: str = "") -> dict[str, float]:
    """Nested figures under names such as ``ours/step``; what is no number is left out."""
    found: dict[str, float] = {}
    for key, value in figures.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}/")
        elif isinstance(value, list):
            found |= flat(dict(enumerate(value)), f"{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = float(value)
    return found


def machine() -> str:
    """Processor with the number of cores that may be used, and GPU."""
    names = [platform.processor() or platform.machine()]
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = (names or [platform.machine()])[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    import torch  # here, so that a program without it measures its own memory

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name} x {cores}{gpu}"


def commit() -> str:
    """The commit that is checked out, ``+`` where files differ from it; "unknown" without git."""
    here = Path(__file__).parent
    try:
        head = ["git", "describe", "--always", "--exclude=*", "--dirty=+"]
        return subprocess.run(
            head, cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def main() -> None:
    """Print one row per kept run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", nargs="?", help="of one program only")
    parser.add_argument("--history", type=Path, default=HISTORY)
    options = parser.parse_args()
    rows = tuple(
        (row["date"][:16], row["commit"], row["program"], name, number(value))
        for row in read(options.history)
        if options.program in (None, row["program"])
        for name, value in row["figures"].items()
    )
    print(to_text(Table(columns=("date", "commit", "program", "figure", "value"), rows=rows)))


if __name__ == "__main__":
    main()
