"""Tables as records, written as aligned text and Markdown; pages show them by a template.

Ours, not a library's: one record gives all three forms with the same alignment, and a cell with
line breaks fits a terminal.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from textwrap import fill

from groundrl.metrics import EVALUATION

NUMBER = re.compile(r"[-+±]?(\d|nan|inf)")
BOUNDS = ("_low", "_high")
HEADLINES = ("reward", "acc", "unparsed", "alignment", "iou", "boxes", "boxes_true", "format")
"""Of our own held-out metrics: is it right, can it be read, does it follow from the reasoning, does
it point there, how often, in which form?"""

Metrics = Mapping[str, int | float]
"""``<set>/<metric>`` with ``_low`` and ``_high`` beside it, and ``<set>/n``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells are finished text; every row is as long as ``columns``, else ValueError."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells under {len(self.columns)} columns")

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Per column: whether all its cells are numbers or empty; such columns align right."""
        cells = zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        return tuple(
            any(column) and all(not cell or NUMBER.match(cell) for cell in column)
            for column in cells
        )


def to_text(table: Table) -> str:
    """Columns aligned with blanks, a rule under the heads; for terminals."""
    split = [[cell.split("\n") for cell in row] for row in table.rows]
    rows = [line for row in split for line in zip_longest(*row, fillvalue="")]
    widths = [max(map(len, column)) for column in zip(table.columns, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, table.numeric, strict=True)
        )
        return "  ".join(padded).rstrip()

    rule = "  ".join("─" * width for width in widths)
    head = [table.title] if table.title else []
    return "\n".join([*head, line(table.columns), rule, *map(line, rows)])


def fit_width(table: Table, width: int) -> tuple[Table, tuple[str, ...]]:
    """The table without its last columns, as far as its text is wider than ``width``, and their
    heads; the first column stays."""
    kept = len(table.columns)
    while kept > 1 and max(map(len, to_text(_first_columns(table, kept)).splitlines())) > width:
        kept -= 1
    return _first_columns(table, kept), table.columns[kept:]


def _first_columns(table: Table, count: int) -> Table:
    rows = tuple(row[:count] for row in table.rows)
    return replace(table, columns=table.columns[:count], rows=rows)


def wrap_cells(table: Table, width: int) -> Table:
    """The table with longer cells on several lines."""
    return replace(
        table, rows=tuple(tuple(fill(cell, width) for cell in row) for row in table.rows)
    )


def to_markdown(table: Table) -> str:
    """A GitHub table, also read by TensorBoard; bars and line breaks in cells are escaped."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |"

    rule = "|" + "|".join("---:" if right else "---" for right in table.numeric) + "|"
    head = [f"**{table.title}**", ""] if table.title else []
    return "\n".join([*head, line(table.columns), rule, *map(line, table.rows)]) + "\n"


def number(value: int | float) -> str:
    """Three decimals for shares, fewer for large values: 0.734, 12.30, 1309.3."""
    size = abs(value)
    return f"{value:z.{3 if size < 10 else 2 if size < 100 else 1}f}"


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def estimate(metrics: Metrics, name: str) -> str:
    """``0.734 ± 0.021``: the value and half the width of its 95 % interval; empty if absent."""
    if name not in metrics:
        return ""
    if f"{name}_low" not in metrics or f"{name}_high" not in metrics:
        return number(metrics[name])
    half = (metrics[f"{name}_high"] - metrics[f"{name}_low"]) / 2
    return f"{number(metrics[name])} ± {number(half)}"


def metric_names(results: Sequence[Metrics]) -> list[str]:
    """Every metric of any of the results once, in order, those of a set together; without bounds
    and counts."""
    seen = dict.fromkeys(name for metrics in results for name in metrics)
    sets = list(dict.fromkeys(name.partition("/")[0] for name in seen))
    return [
        name
        for name in sorted(seen, key=lambda name: sets.index(name.partition("/")[0]))
        if not name.endswith("/n")
        and not any(name.endswith(b) and name.removesuffix(b) in seen for b in BOUNDS)
    ]


def is_headline(name: str) -> bool:
    """Whether a metric of a whole set is one of ``HEADLINES`` or a benchmark's own."""
    parts = name.split("/")
    return len(parts) < 3 and (parts[-1] in HEADLINES or parts[-1] not in EVALUATION)


def before_after(
    metrics: Mapping[str, Metrics],
    stages: Sequence[str],
    keep: Callable[[str], bool] = is_headline,
) -> Table:
    """One row per metric and one column per stage that was measured, then last minus first.

    ``n`` is the size of the set. Stages that ``metrics`` lacks are left out, and so are metrics
    that ``keep`` is false for.
    """
    measured = [stage for stage in stages if stage in metrics]
    results = [metrics[stage] for stage in measured]
    compare = len(measured) > 1
    rows = []
    for name in filter(keep, metric_names(results)):
        row = [name, *(estimate(result, name) for result in results)]
        if compare:
            both = name in results[0] and name in results[-1]
            change = results[-1][name] - results[0][name] if both else None
            row.append("" if change is None else f"+{number(change)}".replace("+-", "-"))
        count = f"{name.rsplit('/', 1)[0]}/n"
        sizes = [result[count] for result in results if count in result]
        row.append(f"{sizes[-1]:.0f}" if sizes else "")
        rows.append(tuple(row))
    columns = ("metric", *measured, *(("change",) if compare else ()), "n")
    return Table(columns=columns, rows=tuple(rows))


def before_after_table(metrics: Mapping[str, Metrics], stages: Sequence[str]) -> str:
    """``before_after`` as aligned text for the terminal."""
    return to_text(before_after(metrics, stages))
