"""What verification is worth: ``python benchmarks/verification_worth.py``.

Captions of the same drawn scenes without errors, with errors that ``verifier=rules`` has dealt
with, and with all their errors become three training sets. On each the embedded model is trained
once per seed, asked the questions that were held out of the first one, and told to describe other
scenes (CHAIR). What is finished in ``--folder`` is not done again.
"""

import argparse
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import history

from groundrl.intervals import Interval, t_interval
from groundrl.report.tables import Table, to_text

ROOT = Path(__file__).parents[1]
SETS = {
    "exact": ["teacher.error_rate=0", "~verifier"],
    "verified": ["verifier=rules"],
    "unverified": ["~verifier"],
}
"""Options of synthesize.py."""
FIGURES = {
    "accuracy after SFT": ("runs", "sft", "acc"),
    "accuracy": ("runs", "grpo", "acc"),
    "IoU": ("runs", "grpo", "iou"),
    "CHAIR_i": ("captions", None, "chair_i"),
    "CHAIR_s": ("captions", None, "chair_s"),
    "recall of captions": ("captions", None, "recall"),
}
"""Folder, stage of training and name in ``metrics.json``."""


def run(script: str, folder: Path, *options: str) -> None:
    """One command, unless it is finished; one that was killed goes on."""
    if not (folder / "metrics.json").is_file():
        command = [sys.executable, str(ROOT / script), f"output_dir={folder}", *options]
        subprocess.run(command, check=True)


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    """All runs, one after the other."""
    drawn = ["detector=oracle", f"scenes.size={arguments.scenes}"]
    for name, options in SETS.items():
        rate = [] if name == "exact" else [f"teacher.error_rate={arguments.error_rate}"]
        run("synthesize.py", folder / "data" / name, *drawn, *rate, *options)
    for name, seed in itertools.product(SETS, range(arguments.seeds)):
        trained = folder / "runs" / name / str(seed)
        run(
            "train.py",
            trained,
            "data=jsonl",
            f"data.path={folder / 'data' / name / 'train.jsonl'}",
            f"data.heldout_path={folder / 'data' / 'exact' / 'heldout.jsonl'}",
            f"stage.sft.steps={arguments.sft_steps}",
            f"stage.grpo.steps={arguments.grpo_steps}",
            f"seed={seed}",
        )
        described = folder / "captions" / name / str(seed)
        run("evaluate.py", described, "benchmark=world_caption", f"run={trained}")


def values(folder: Path, stage: str | None, name: str) -> Iterator[float]:
    """One per seed."""
    for file in sorted(folder.glob("*/metrics.json")):
        found = json.loads(file.read_text())
        found = found if stage is None else found[stage]
        yield next(found[key] for key in found if key.split("/")[1:] == [name])


def figures(folder: Path) -> dict[str, dict[str, Interval]]:
    """Training set -> figure -> mean over seeds with its 95 % t-interval."""
    return {
        data: {
            title: t_interval(list(values(folder / place / data, stage, name)))
            for title, (place, stage, name) in FIGURES.items()
        }
        for data in SETS
    }


def main() -> None:
    """Run what is not there yet, print, write."""
    parser = argparse.ArgumentParser(description="What verification is worth to a trained model.")
    parser.add_argument("--folder", type=Path, default=Path("outputs/verification_worth"))
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--error-rate", type=float, default=0.3, help="share of captions")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sft-steps", type=int, default=100)
    parser.add_argument("--grpo-steps", type=int, default=20)
    history.add_options(parser)
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    measure(folder, arguments)
    found = figures(folder)
    rows = tuple(
        (data, *(f"{one.mean:.3f} ± {(one.high - one.low) / 2:.3f}" for one in row.values()))
        for data, row in found.items()
    )
    print(to_text(Table(columns=("data", *FIGURES), rows=rows)))
    figures_by_data = {
        data: {k: v for name, one in row.items() for k, v in one.figures(name).items()}
        for data, row in found.items()
    }
    history.keep(arguments, figures_by_data)


if __name__ == "__main__":
    main()
