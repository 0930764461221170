"""How programs that measure intervals write them as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path

from groundrl.intervals import Interval


def write_intervals(path: Path, rows: Mapping[str, Mapping[str, Interval]]) -> None:
    """``<row>/<column>`` -> mean, interval and number of each cell."""
    figures = {
        f"{row}/{column}": value.figures("mean") | {"n": value.n}
        for row, cells in rows.items()
        for column, value in cells.items()
    }
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
