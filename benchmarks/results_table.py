"""``python benchmarks/results_table.py RUN_OR_SWEEP ...``: the tables of docs/results.md.

Each folder is a run (``metrics.json``) or a multirun; its table replaces what stands between
``<!-- results -->`` and ``<!-- /results -->``. ``--out FILE.json`` writes the same figures.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from groundrl.errors import UserError
from groundrl.report.runs import find_runs, read_metrics
from groundrl.report.sweep import change_table, sweep_table
from groundrl.report.tables import before_after, is_headline, metric_names, to_markdown

PAGE = Path(__file__).parents[1] / "docs" / "results.md"
START, END = "<!-- results -->", "<!-- /results -->"


def block(folder: Path) -> str:
    """A caption and a Markdown table of one run or multirun. Raises UserError."""
    if (folder / "metrics.json").is_file():
        stages, seconds = read_metrics(folder)
        table = to_markdown(before_after(stages, tuple(stages)))
        note = f"One run, {sum(seconds.values()) / 60:.0f} minutes; ± is half of the 95 % interval."
    else:
        runs = find_runs(folder)
        measured = metric_names([run.metrics for run in runs if run.metrics is not None])
        metrics = [*filter(is_headline, measured)]
        tables = sweep_table(runs, metrics, {}), change_table(runs, metrics)
        table = "\n".join(map(to_markdown, tables))
        note = "Means over seeds; ± is half of the 95 % t-interval."
    return f"{note}\n\n{table}"


def figures(folder: Path) -> dict[str, Mapping[str, float]]:
    """``<run>: {metric: value}`` of the last stage of every run in ``folder``. Raises UserError."""
    if (folder / "metrics.json").is_file():
        stages, _ = read_metrics(folder)
        return {folder.name: list(stages.values())[-1]}
    return {
        str(run.folder.relative_to(folder)): run.metrics
        for run in find_runs(folder)
        if run.metrics is not None
    }


def filled(text: str, results: str) -> str:
    """The page's text with ``results`` between the markers. Raises UserError without them."""
    head, start, rest = text.partition(START)
    _, end, tail = rest.partition(END)
    if not (start and end):
        raise UserError(f"The page has no {START} … {END}: put both on lines of their own.")
    return f"{head}{START}\n{results.strip()}\n{END}{tail}"


def main() -> None:
    """Write the tables into the page, and their figures to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="RUN_OR_SWEEP")
    parser.add_argument("--page", type=Path, default=PAGE, help="the file to fill")
    parser.add_argument("--out", type=Path, help="JSON file for the same figures")
    args = parser.parse_args()
    try:
        results = "\n\n".join(block(folder).strip() for folder in args.folders)
        text = filled(args.page.read_text(encoding="utf-8"), results)
        written = {str(folder): figures(folder) for folder in args.folders}
    except UserError as error:
        sys.exit(str(error))
    args.page.write_text(text, encoding="utf-8")
    if args.out:
        args.out.write_text(json.dumps(written, indent=2) + "\n")
    print(results)


if __name__ == "__main__":
    main()
