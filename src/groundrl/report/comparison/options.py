"""In which options the settings differ."""

from collections.abc import Iterator, Sequence

from groundrl.files import read_yaml
from groundrl.report.comparison.runs import ComparedRun, by_setting
from groundrl.report.run_report import NOT_COMPARED
from groundrl.report.tables import Table

MAX_OPTIONS = 40
"""Of the table; evaluations and training runs have little in common."""


def option_table(runs: Sequence[ComparedRun]) -> Table:
    """One row per option of ``resolved.yaml`` that has not the same value everywhere, one column
    per setting, of which the first run is read; seeds and folders are left out."""
    trees = {setting: dict(_leaves(_read(own[0]))) for setting, own in by_setting(runs).items()}
    names = dict.fromkeys(name for tree in trees.values() for name in tree)
    rows = [(name, *(tree.get(name, "") for tree in trees.values())) for name in names]
    rows = [row for row in rows if len(set(row[1:])) > 1]
    left = len(rows) - MAX_OPTIONS
    return Table(
        columns=("option", *trees),
        rows=tuple(rows[:MAX_OPTIONS]),
        title=f"and {left} more options" if left > 0 else "",
    )


def _read(run: ComparedRun) -> object:
    file = run.folder / "resolved.yaml"
    return read_yaml(file) if file.is_file() else None


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and values as text."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in NOT_COMPARED and key != "seed":
                yield from _leaves(one, f"{name}.{key}" if name else f"{key}")
    elif value is not None and value != "":
        yield name, f"{value}"
