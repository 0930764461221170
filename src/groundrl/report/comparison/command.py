"""Compares runs on one page: results, tests, curves, the same held-out questions side by side.

python -m groundrl.report outputs/my_sweep
python -m groundrl.report outputs/first outputs/second
python -m groundrl.report outputs/evaluation_of_mine outputs/evaluation_of_theirs
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

from groundrl.errors import UserError
from groundrl.report.comparison.page import write_comparison


def main(arguments: Sequence[str]) -> int:
    """Print the tables and the path of the page. Returns the exit status: 0, or 2 for a
    UserError."""
    parser = ArgumentParser(
        prog="python -m groundrl.report",
        description=__doc__,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="run",
        help="a run directory of train.py or evaluate.py, or a folder that holds some",
    )
    parser.add_argument("--page", type=Path, default=Path("outputs/comparison.html"))
    options = parser.parse_args(arguments)
    try:
        print(write_comparison(options.runs, options.page))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
