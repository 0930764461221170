"""Prints what the embedded model says with and without compilation, and how it was compiled."""

import json

import torch
from torch._dynamo.utils import counters
from world_questions import world_samples

from groundrl.boxes import Frame
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.prompts import PromptTemplate
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler

torch.set_num_threads(1)
policy = load_policy("embedded", Frame.PERMILLE, PromptTemplate(), Adapter())
examples = policy.encode.examples(world_samples(5))


def drawn(compile: bool) -> list[tuple[int, ...]]:
    """The tokens of two rollouts of different size."""
    sampler = Sampler(NativeEngine(compile=compile), Sampling(max_tokens=80), group_size=3)
    groups = [*sampler(policy, examples, 0).groups, *sampler(policy, examples[:3], 1).groups]
    return [completion.tokens for group in groups for completion in group.completions]


print(
    json.dumps(
        {
            "plain": drawn(False),
            "compiled": drawn(True),
            "compilations": counters["stats"]["unique_graphs"],
            "breaks": counters["graph_break"],
        }
    )
)
