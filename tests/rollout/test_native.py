"""The native engine against transformers' generate, and the laws of its randomness."""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from own_inputs import own_inputs
from world_questions import world_samples

from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine, batch_prompts
from groundrl.rollout.randomness import uniforms
from groundrl.rollout.sampler import Sampler
from groundrl.rollout.token_sampling import filter_logprobs, sample_tokens

MakePolicy = Callable[..., Policy]


@pytest.mark.slow
def test_greedy_tokens_equal_generate(make_policy: MakePolicy) -> None:
    policy = make_policy(None)
    examples = policy.encode.examples(world_samples(5))
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=24, temperature=0.0), group_size=1)
    rollout = sampler(policy, examples, step=0)
    for group, prompt in zip(rollout.groups, rollout.prompts, strict=True):
        vlm: Any = policy.vlm
        expected = vlm.generate(
            **own_inputs(policy, prompt),
            do_sample=False,
            max_new_tokens=24,
            suppress_tokens=list(policy.spec.placeholders),
        )[0, len(prompt.prefix.tokens) :]
        assert list(group.completions[0].tokens) == expected.tolist()


def test_reported_logprobs_are_those_of_the_policy(make_policy: MakePolicy) -> None:
    policy = make_policy("lora")
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=12, temperature=0.8), group_size=3)
    rollout = sampler(policy, policy.encode.examples(world_samples(3)), step=4)
    with torch.no_grad():
        result = policy.logprobs(
            rollout.prompts,
            [[Branch(tokens=c.tokens) for c in group.completions] for group in rollout.groups],
            rollout.features(),
            temperature=0.8,
        )
    said = [c.logprobs for group in rollout.groups for c in group.completions]
    for row, logprobs in enumerate(said):
        assert result.logprobs[row, : len(logprobs)].tolist() == pytest.approx(logprobs, abs=1e-4)


@pytest.mark.slow
def test_completions_do_not_depend_on_the_batch_they_are_drawn_in(make_policy: MakePolicy) -> None:
    policy = make_policy(None)
    examples = policy.encode.examples(world_samples(4))
    together = Sampler(NativeEngine(), Sampling(max_tokens=10), group_size=3, seed=7)
    apart = Sampler(NativeEngine(tokens_per_batch=1), Sampling(max_tokens=10), group_size=3, seed=7)
    first = together(policy, examples, step=2).groups
    second = apart(policy, examples[::-1], step=2).groups[::-1]
    assert [[c.tokens for c in g.completions] for g in first] == [
        [c.tokens for c in g.completions] for g in second
    ]
    third = together(policy, examples, step=3).groups
    assert first[0].completions[0].tokens != third[0].completions[0].tokens
    assert len({c.tokens for c in first[0].completions}) == 3


@given(st.lists(st.integers(1, 50)), st.integers(0, 40), st.integers(1, 300))
def test_a_batch_has_room_in_the_budget_or_is_one_prompt(
    lengths: list[int], own: int, budget: int
) -> None:
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    found = list(batch_prompts(order, lengths, own, budget))
    assert [index for chosen in found for index in chosen] == order

    def room(chosen: list[int]) -> int:
        return len(chosen) * (max(lengths[i] for i in chosen) + own)

    assert all(len(chosen) == 1 or room(chosen) <= budget for chosen in found)
    for chosen, following in itertools.pairwise(found):  # none could have held one more
        assert room([*chosen, following[0]]) > budget


@pytest.mark.slow
def test_a_completion_ends_with_the_end_token_or_is_truncated(make_policy: MakePolicy) -> None:
    policy = make_policy(None)
    policy.vlm.lm_head.weight.data[policy.eos_token] *= 3  # answers end soon
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=30, temperature=2.0), group_size=16)
    completions = [
        c
        for g in sampler(policy, policy.encode.examples(world_samples(2)), step=0).groups
        for c in g.completions
    ]
    for completion in completions:
        assert completion.truncated == (completion.tokens[-1] != policy.eos_token)
        assert policy.eos_token not in completion.tokens[:-1]
        assert len(completion.tokens) == 30 or not completion.truncated
    assert any(c.truncated for c in completions)


@pytest.mark.slow
def test_a_group_comes_when_its_last_completion_has_ended(make_policy: MakePolicy) -> None:
    policy = make_policy(None)
    examples = policy.encode.examples(world_samples(6))
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=20), group_size=2)
    early = sampler(policy, examples, step=0).groups[0].completions[0].tokens[5]
    policy.encode.end_token = early
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=20), group_size=1)
    steps: list[object] = []
    policy.vlm.model.language_model.register_forward_pre_hook(lambda *_: steps.append(1))
    came: dict[int, int] = {}
    rollout = sampler(policy, examples, step=0, on_group=lambda i, _: came.update({i: len(steps)}))
    # One pass for the prompts, and one for each token but the first.
    assert came == {i: len(g.completions[0].tokens) for i, g in enumerate(rollout.groups)}
    assert came[0] <= 6
    assert max(came.values()) == 20


@pytest.mark.slow
def test_a_compiled_step_draws_the_same_tokens_and_serves_all_sizes() -> None:
    # In a process of its own: a compiler cannot read the checks of shapes that tests run under.
    program = Path(__file__).parent.parent / "helpers" / "compiled_rollouts.py"
    told = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    found = json.loads(told.stdout.splitlines()[-1])
    assert found["compiled"] == found["plain"]
    # Rows ended and prompts ended while others went on.
    lengths = sorted(len(tokens) for tokens in found["compiled"])
    assert lengths[0] < lengths[-1]
    assert found["compilations"] == 2  # one more for when a single prompt is left
    assert not found["breaks"]


def test_a_prompt_that_leaves_no_room_is_an_error(make_policy: MakePolicy) -> None:
    policy = make_policy(None)
    examples = policy.encode.examples(world_samples(2))
    lengths = [len(prompt.prefix.tokens) for _, prompt in examples]
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=10), group_size=1)
    limits = policy.vlm.config.get_text_config()
    limits.max_position_embeddings = max(lengths) + 10
    sampler(policy, examples, step=0)
    limits.max_position_embeddings -= 1
    longest, _ = examples[lengths.index(max(lengths))]
    message = (
        f"sample '{longest.id}' has a prompt of {max(lengths)} tokens, and with an answer of 10"
    )
    with pytest.raises(UserError, match=message):
        sampler(policy, examples, step=0)
    limits.max_position_embeddings = 10_000
    sampler.engine.max_model_len = max(lengths) + 9
    with pytest.raises(UserError, match=r"more than rollout\.max_model_len"):
        sampler(policy, examples, step=0)


def test_uniforms_are_a_function_of_their_names_only() -> None:
    first = uniforms(1, 2, "a", 3, 8)
    assert (first == uniforms(1, 2, "a", 3, 8)).all()
    assert (first[:4] == uniforms(1, 2, "a", 3, 4)).all()
    others = [uniforms(0, 2, "a", 3, 8), uniforms(1, 0, "a", 3, 8), uniforms(1, 2, "b", 3, 8)]
    assert all((first != other).all() for other in [*others, uniforms(1, 2, "a", 4, 8)])


def test_tokens_are_drawn_with_their_probabilities() -> None:
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log().expand(4000, -1)
    grid = torch.from_numpy((np.arange(4000) + 0.5) / 4000)
    token, logprob = sample_tokens(logits, grid, Sampling())
    assert torch.bincount(token).tolist() == [400, 800, 1200, 1600]
    assert logprob.exp().tolist() == pytest.approx(
        [0.1, 0.2, 0.3, 0.4][0:1] * 400 + [0.2] * 800 + [0.3] * 1200 + [0.4] * 1600, abs=1e-5
    )


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(top_k=2), [2, 3]),
        (Sampling(top_p=0.4), [3]),
        (Sampling(top_p=0.41), [2, 3]),
        (Sampling(min_p=0.6), [2, 3]),
        (Sampling(top_k=9), [0, 1, 2, 3]),
    ],
)
def test_cuts_keep_the_likeliest_tokens(sampling: Sampling, kept: list[int]) -> None:
    logprobs = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
    assert filter_logprobs(logprobs, sampling).isfinite().nonzero()[:, 1].tolist() == kept
