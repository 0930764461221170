"""Where the time of a GRPO step goes: ``python benchmarks/step_time.py RUN ...``.

Medians over the steps of each run, from its own TensorBoard curves, in seconds and as shares.
``time/vision`` is a part of rollout and update.
"""

import argparse
import sys
from pathlib import Path
from statistics import median

from groundrl.errors import UserError
from groundrl.report.run_report import read_curves
from groundrl.report.tables import Table, number, to_text

PARTS = ("time/rollout", "time/reward", "time/update", "time/vision")
STEP, SPEED = "time/step", "tokens/per_second"


def medians(run: Path) -> dict[str, float]:
    """``{part: median}`` of a run. Raises UserError when it has no GRPO curves."""
    curves = read_curves(run).get("grpo", {})
    if STEP not in curves:
        raise UserError(f"{run} has no curves of a GRPO stage: give a run that train.py printed")
    return {part: median(value for _, value in curves[part]) for part in (*PARTS, STEP, SPEED)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    rows = []
    try:
        for run in parser.parse_args().runs:
            found = medians(run)
            shares = (f"{number(found[p])} ({found[p] / found[STEP]:.0%})" for p in PARTS)
            rows.append((str(run), *shares, number(found[STEP]), number(found[SPEED])))
    except UserError as error:
        sys.exit(str(error))
    print(to_text(Table(columns=("run", *PARTS, STEP, SPEED), rows=tuple(rows))))


if __name__ == "__main__":
    main()
