"""How the cost of a GRPO step grows: ``python benchmarks/scaling.py``.

One thing grows at a time: completions in a group, tokens of the prompt, of a completion, the number
of groups, and the image's share of a prompt that stays as long. Seconds, the fastest of several.
``cost of one more``: what a completion adds to the update when the group grows to this size, over
what its own tokens cost in a group of one.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import history
import torch
from policies import policy_for
from random_models import FAMILIES, SIZES
from work import Work

from groundrl.launch.logs import silence_libraries
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.report.tables import Table, number, to_text
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler

GRID: dict[str, tuple[float, ...]] = {
    "group": (1, 2, 4, 8, 16, 32),
    "prompt": (67, 149, 298, 596, 1192),
    "completion": (12, 24, 48, 96, 192),
    "prompts": (1, 2, 4, 8),
    "image_share": (0.06, 0.22, 0.49, 0.9),  # 16, 64, 144 and 256 tokens
}
PARTS = ("tower", "rollout", "update")

Row = dict[str, float]


def fastest(action: Callable[[], object], tries: int) -> float:
    """Seconds, after one call that prepares kernels."""
    action()
    seconds = []
    for _ in range(tries):
        start = time.perf_counter()
        action()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure(work: Work, tries: int) -> Row:
    """Seconds of the tower, the rollout after it, and forward and backward."""
    policy = policy_for(work, sharing=True).to(work.device)
    question = work.question(policy.processor)
    examples = policy.encode.examples([work.sample(i, question) for i in range(work.prompts)])
    prompts = [prompt for _, prompt in examples]
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=work.completion), work.group)

    @torch.no_grad()
    def look() -> object:
        return policy.features(prompts)

    rollout = sampler(policy, examples, step=0)
    branches = [[Branch(tokens=c.tokens) for c in g.completions] for g in rollout.groups]

    def update() -> None:
        policy.zero_grad()
        policy.logprobs(prompts, branches, rollout.features()).logprobs.sum().backward()

    tower = fastest(look, tries)
    return {
        "tower": tower,
        "rollout": fastest(lambda: sampler(policy, examples, step=0), tries) - tower,
        "update": fastest(update, tries),
    }


def scaling(start: Work, name: str, tries: int) -> list[Row]:
    """A row for each value of ``name``, everything else as in ``start``."""
    rows: list[Row] = []
    for value in GRID[name]:
        row = {name: value} | measure(replace(start, **{name: value}), tries)
        if name == "group" and rows:
            alone, before = rows[0], rows[-1]
            own = alone["update"] * start.completion / (start.prompt + start.completion)
            added = (row["update"] - before["update"]) / (value - before["group"])
            row["cost of one more"] = added / own
        rows.append(row)
    return rows


def table(name: str, rows: list[Row]) -> Table:
    """Seconds, and how they grew since the row before."""

    def cell(index: int, part: str) -> str:
        value = rows[index].get(part)
        if value is None:
            return ""
        grown = f" ({value / rows[index - 1][part]:.2f}x)" if index and part in PARTS else ""
        return number(value) + grown

    columns = (*PARTS, "cost of one more") if name == "group" else PARTS
    return Table(
        columns=(name, *columns),
        rows=tuple(
            (str(row[name]), *(cell(index, part) for part in columns))
            for index, row in enumerate(rows)
        ),
    )


def main() -> None:
    """Print a table for each thing that grows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--family", choices=FAMILIES, default="qwen2_5_vl")
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--only", choices=GRID, help="one of the tables")
    history.add_options(parser)
    options = parser.parse_args()
    silence_libraries()
    torch.set_num_threads(options.threads)
    start = Work(
        family=options.family,
        size=options.size,
        device=options.device,
        prompt=298,
        completion=48,
        group=8,
        prompts=1,
    )
    print(" ".join(f"{name}={value}" for name, value in asdict(start).items()))
    found = {}
    for name in [options.only] if options.only else GRID:
        found[name] = scaling(start, name, options.tries)
        print(f"\n{to_text(table(name, found[name]))}", flush=True)
    history.keep(options, found)


if __name__ == "__main__":
    main()
