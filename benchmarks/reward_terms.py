"""What each term of a reward costs: ``python benchmarks/reward_terms.py``.

Completions per second of every shipped term, on groups of sampled answers about drawn scenes, the
milliseconds for all of them, and their share of a GRPO step of so many: rollout, the reference's
log-probabilities, one update, and the term. A term is asked as training asks it, all completions
of a group at once; training asks while others are sampled, so that the share is what it costs at
most. ``sentence`` asks an untrained reward model on the base of the policy, or --reward-model.
"""

import argparse
import tempfile
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
from groundrl.feedback.captions import OUTPUTS
from groundrl.feedback.load import save_reward_model
from groundrl.feedback.reward_model import RewardModel
from groundrl.grammar import get_grammar
from groundrl.launch.logs import silence_libraries
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.prompts import PromptTemplate
from groundrl.records import RolloutGroup
from groundrl.report.tables import Table, number, to_text
from groundrl.rewards.base import BatchedTerm, RewardSum, RewardTerm
from groundrl.rewards.terms.sentence import Sentence
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


def make_policy() -> Policy:
    """The embedded model with a fresh adapter."""
    return load_policy("embedded", Frame.PERMILLE, PromptTemplate(), Adapter(kind="lora"))


def sampled_groups(
    policy: Policy, prompts: int, group_size: int, seed: int = 5
) -> list[RolloutGroup]:
    """Answers at temperature 1 about drawn scenes of this seed."""
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=128), group_size=group_size)
    source = WorldDataset(seed=seed, size=prompts)
    # Without their options: these are what the model answers without a warm-up.
    plain = SampleList(tuple(replace(source[i], options=()) for i in range(prompts)))
    batches = answers_to(plain, policy, policy.encode, sampler)
    return [group for groups in batches for group in groups]


def update(policy: Policy, groups: list[RolloutGroup]) -> None:
    """Log-probabilities of the reference and of the policy, and the gradient of the latter."""
    prompts = [policy.encode(group.sample) for group in groups]
    branches = [[Branch(tokens=list(one.tokens)) for one in group.completions] for group in groups]
    features = policy.fixed_features(prompts)
    with torch.no_grad(), policy.reference():
        policy.logprobs(prompts, branches, features)
    policy.logprobs(prompts, branches, features).logprobs.sum().backward()


def untrained_reward_model(folder: Path) -> Path:
    """``folder`` with a reward model on the embedded model."""
    save_reward_model(RewardModel(make_policy(), [0.3] * len(OUTPUTS)), folder)
    return folder


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


def measure(options: argparse.Namespace, folder: Path) -> dict[str, dict[str, float]]:
    """Figures of each term, and of the rest of a step; ``folder`` is empty."""
    policy, count = make_policy(), options.prompts * options.group
    policy.fix_reference()
    start = time.perf_counter()
    groups = sampled_groups(policy, options.prompts, options.group)
    rolled_out = time.perf_counter()
    update(policy, groups)
    rest = {"rollout_ms": rolled_out - start, "update_ms": time.perf_counter() - rolled_out}
    model = options.reward_model or untrained_reward_model(folder)
    sentence = Sentence(model=str(model)).with_policy(policy)
    # About another image, so that weights are loaded and nothing else is known.
    RewardSum(terms={"sentence": sentence}, grammar=get_grammar("obj_bbox"), frame=Frame.PERMILLE)(
        sampled_groups(policy, 1, 1, seed=6)
    )
    figures = {"step": {name: 1000 * seconds for name, seconds in rest.items()}}
    for name, term in {**shipped_terms(), "sentence": sentence}.items():
        first, again = seconds_of(term, groups, options.turns)
        figures[name] = {
            "completions_per_second": count / first,
            "known_completions_per_second": count / again,
            "ms_per_step": 1000 * first,
            "share_of_step": first / (first + sum(rest.values())),
        }
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reward-model", type=Path, help="<run>/reward_model")
    history.add_options(parser)
    options = parser.parse_args()
    silence_libraries()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(options, Path(folder))
    rest = figures["step"]
    columns = (
        *("term", "completions/s", "known images"),
        *(f"ms for {options.prompts * options.group}", "share of a step"),
    )
    rows = tuple(
        (name, *(number(value) for value in row.values()))
        for name, row in figures.items()
        if row is not rest
    )
    print(" ".join(f"{name}={value}" for name, value in vars(options).items()))
    print("\nbeside the terms: " + ", ".join(f"{name} {ms:.0f}" for name, ms in rest.items()))
    print(f"\n{to_text(Table(columns=columns, rows=rows))}")
    history.keep(options, figures)


if __name__ == "__main__":
    main()
