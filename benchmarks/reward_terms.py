"""What each term of a reward costs: ``python benchmarks/reward_terms.py``.

Completions per second of every shipped term, on groups of sampled answers about drawn scenes, and
the milliseconds that it adds to a GRPO step of that many completions. A term is asked as training
asks it: all completions of a group at once.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import history
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from groundrl.boxes import Frame
from groundrl.data.datasets import SampleList, WorldDataset
from groundrl.evaluation.heldout import answers_to
from groundrl.grammar import get_grammar
from groundrl.launch.logs import silence_libraries
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.prompts import PromptTemplate
from groundrl.records import RolloutGroup
from groundrl.report.tables import Table, number, to_text
from groundrl.rewards.base import BatchedTerm, RewardSum, RewardTerm
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler

CONF = Path(__file__).parents[1] / "conf"


def shipped_terms() -> dict[str, RewardTerm | BatchedTerm]:
    """Every term whose option asks for nothing."""
    terms = {}
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for file in sorted((CONF / "reward" / "term").glob("*.yaml")):
            cfg = compose(overrides=[f"+reward/term@term={file.stem}", "+seed=0"])
            if not OmegaConf.missing_keys(cfg):
                terms[file.stem] = instantiate(cfg.term)
    return terms


def sampled_groups(prompts: int, group_size: int) -> list[RolloutGroup]:
    """Answers of the embedded model at temperature 1."""
    policy = load_policy("embedded", Frame.PERMILLE, PromptTemplate(), Adapter(kind="frozen"))
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=128), group_size=group_size)
    source = WorldDataset(seed=5, size=prompts)
    # Without their options: these are what the model answers without a warm-up.
    plain = SampleList(tuple(replace(source[i], options=()) for i in range(prompts)))
    batches = answers_to(plain, policy, policy.encode, sampler)
    return [group for groups in batches for group in groups]


def seconds_of(
    term: RewardTerm | BatchedTerm, groups: list[RolloutGroup], turns: int
) -> tuple[float, float]:
    """Of all groups: the first time, and the median of ``turns`` more."""
    reward = RewardSum(terms={"term": term}, grammar=get_grammar("obj_bbox"), frame=Frame.PERMILLE)
    taken = []
    for _ in range(turns + 1):
        start = time.perf_counter()
        for group in groups:
            reward([group])
        taken.append(time.perf_counter() - start)
    return taken[0], median(taken[1:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    history.add_options(parser)
    options = parser.parse_args()
    silence_libraries()
    torch.set_num_threads(options.threads)
    groups = sampled_groups(options.prompts, options.group)
    count = options.prompts * options.group
    figures = {}
    for name, term in shipped_terms().items():
        first, again = seconds_of(term, groups, options.turns)
        figures[name] = {
            "completions_per_second": count / first,
            "known_completions_per_second": count / again,
            "ms_per_step": 1000 * first,
        }
    columns = ("term", "completions/s", "known images", f"ms for {count}")
    rows = tuple(
        (name, *(number(value) for value in row.values())) for name, row in figures.items()
    )
    print(" ".join(f"{name}={value}" for name, value in vars(options).items()))
    print(f"\n{to_text(Table(columns=columns, rows=rows))}")
    history.keep(options, figures)


if __name__ == "__main__":
    main()
