"""``python benchmarks/results_table.py SWEEP ...``: what finished sweeps show, in docs/results/.

Each folder is one of ``python train.py -m sweeps=<name> output_dir=<folder>/<name>``: its
conclusions and the main tables of its ``table.md`` become ``docs/results/<name>.md``, with the time
that its jobs took. ``--out FILE.json`` writes the metrics of every job.
"""

import argparse
import json
import sys
from pathlib import Path

from groundrl.errors import UserError
from groundrl.report.runs import Run, find_runs, read_metrics
from groundrl.report.tables import duration

PAGES = Path(__file__).parents[1] / "docs" / "results"
OTHERS = "## Other metrics"


def page(folder: Path, runs: list[Run]) -> str:
    """The page of a sweep. Raises UserError without a table."""
    name = folder.resolve().name
    table = folder / "table.md"
    if not table.is_file():
        raise UserError(f"{table} is missing: type the command of the sweep again, it writes it")
    main = table.read_text(encoding="utf-8").partition(OTHERS)[0]
    # The sentences say what the table of conclusions says.
    parts = [part for part in main.strip().split("\n\n")[1:] if not part.startswith("* ")]
    seconds = sum(sum(read_metrics(run.folder)[1].values()) for run in runs if run.stages)
    head = (
        f"# Results: {name}\n\n`python train.py -m sweeps={name}`: {len(runs)} jobs, "
        f"{duration(seconds)} together, each with a warm-up of its own. What is asked, and what to "
        f"look at: [{name}](../studies/{name}.md)."
    )
    return "\n\n".join([head, *parts]) + "\n"


def main() -> None:
    """Write the pages, and the jobs' metrics to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="SWEEP")
    parser.add_argument("--pages", type=Path, default=PAGES, help="the folder of the pages")
    parser.add_argument("--out", type=Path, help="JSON file for the metrics of every job")
    args = parser.parse_args()
    try:
        found = {folder: find_runs(folder) for folder in args.folders}
        texts = {folder: page(folder, runs) for folder, runs in found.items()}
    except UserError as error:
        sys.exit(str(error))
    args.pages.mkdir(parents=True, exist_ok=True)
    for folder, text in texts.items():
        (args.pages / f"{folder.resolve().name}.md").write_text(text, encoding="utf-8")
        print(text)
    if args.out:
        metrics = {
            str(folder): {str(run.folder.relative_to(folder)): run.metrics for run in runs}
            for folder, runs in found.items()
        }
        args.out.write_text(json.dumps(metrics, indent=2) + "\n")


if __name__ == "__main__":
    main()
