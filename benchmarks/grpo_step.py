"""A GRPO step in three ways, side by side: ``python benchmarks/grpo_step.py``.

ours: prompts and images once per group. plain: our loop with ``model.generate`` and one row per
completion, image and all. trl: TRL's GRPOTrainer (pip install 'groundrl[benchmarks]'). All have the
same random model, images, lengths, LoRA and KL term, and make one update; nothing ends early.
Each runs in a process of its own; medians of five steps, from the end of one to the end of the
next. ``rollout`` reads prompts and images, too. ``memory``: peak of the update above the
loaded model. ``floor``: what must be computed and read, at the peak that this machine reaches.
The second table: largest differences, those of gradients relative to the largest gradient, between
ours and transformers' own class with one row per completion (and ours with that class's image
features), and between each of the two and that class in float64.

On a GPU: --device cuda --size full --prompt 1000 --completion 200 --prompts 16
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path

import history
import torch
from work import Work, add_options

from groundrl.report.tables import Table, number, to_text

CONTENDERS = ("ours", "plain", "trl")
PARTS = ("step", "rollout", "update", "memory")

Found = dict[str, dict[str, float]]


def measure(work: Work, threads: int) -> Found:
    """Each run's figures, in processes of their own."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for run in (*CONTENDERS, "parity", "floor"):
            request = json.dumps({"run": run, "threads": threads, "folder": folder} | asdict(work))
            answer = subprocess.run(
                [sys.executable, __file__, "--child", request],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            )
            found[run] = json.loads(answer.stdout.splitlines()[-1])
    return found


def child(request: dict) -> None:
    """Print the figures of one run as JSON."""
    from contenders import RUNS

    from groundrl.launch.logs import silence_libraries

    silence_libraries()
    warnings.filterwarnings("ignore")
    run, folder = request.pop("run"), Path(request.pop("folder"))
    torch.set_num_threads(request.pop("threads"))
    print(json.dumps(RUNS[run](Work(**request), folder / run)))


def summary(work: Work, found: Found) -> dict[str, dict[str, float]]:
    """How many times faster and smaller, with everything that was measured."""
    ours, plain, trl = (found[name] for name in CONTENDERS)
    tokens = work.prompts * work.group * work.completion
    return {
        "speedup": {
            "step_vs_trl": trl["step"] / ours["step"],
            "step_vs_plain": plain["step"] / ours["step"],
            "update_vs_plain": plain["update"] / ours["update"],
            "rollout_vs_generate": plain["rollout"] / ours["rollout"],
        },
        "memory": {
            "update_vs_trl": ours["memory"] / trl["memory"],
            "update_vs_plain": ours["memory"] / plain["memory"],
        },
        "parity": found["parity"],
        "roofline": {
            **found["floor"],
            "rollout_share": found["floor"]["rollout"] / ours["rollout"],
            "update_share": found["floor"]["update"] / ours["update"],
        },
        **{
            name: found[name] | {"tokens_per_second": tokens / found[name]["step"]}
            for name in CONTENDERS
        },
    }


def tables(figures: Found) -> list[Table]:
    """Seconds, MB and shares, and how often ours fits into the others."""

    def cell(name: str, part: str) -> str:
        value, own = figures[name][part], figures["ours"][part]
        if name == "ours":
            share = f" ({value / figures[name]['step']:.0%})" if part != "memory" else ""
            return number(value) + share
        return f"{number(value)} ({value / own:.1f}x)"

    rows = [
        (name, *(cell(name, p) for p in PARTS), number(figures[name]["tokens_per_second"]))
        for name in CONTENDERS
    ]
    roof = figures["roofline"]
    floor = tuple(
        f"{number(roof[part])} ({roof[f'{part}_share']:.0%} of ours)" for part in PARTS[1:3]
    )
    rows.append(("floor", "", *floor, "", ""))
    columns = ("", "step, s", "rollout, s", "update, s", "memory, MB", "tokens/s")
    return [Table(columns=columns, rows=tuple(rows)), parity_table(figures["parity"])]


def parity_table(parity: dict[str, float]) -> Table:
    """What is compared in columns."""
    compared = {
        "ours to stock": "{}",
        "with its image features": "{}_same_features",
        "ours to float64": "{}_float64",
        "stock to float64": "stock_{}_float64",
    }
    rows = [
        (name, *(f"{parity[key.format(name)]:.1e}" for key in compared.values()))
        for name in ("max_abs_logprob", "max_rel_grad")
    ]
    return Table(columns=("", *compared), rows=tuple(rows))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.add_argument("--threads", type=int, default=1)
    history.add_options(parser)
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    work = Work.of(options)
    figures = summary(work, measure(work, options.threads))
    print(" ".join(f"{k}={v}" for k, v in asdict(work).items()), f"threads={options.threads}")
    for table in tables(figures):
        print(f"\n{to_text(table)}")
    print("\nThe reference pass is part of the update of ours, plain and floor; of trl's rollout.")
    history.keep(options, figures)


if __name__ == "__main__":
    main()
