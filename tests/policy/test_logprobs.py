"""Prefix-shared log-probabilities and gradients against one row each, and transformers."""

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from own_inputs import own_inputs
from torch import Tensor
from world_questions import world_samples

from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import (
    Branch,
    Prefix,
    lay_out,
    pack_rows,
    padded_length,
    split_group,
)
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler

MakePolicy = Callable[..., Policy]


def completions(policy: Policy, sizes: list[list[int]]) -> list[list[Branch]]:
    rng = random.Random(3)
    words = len(policy.processor.tokenizer)
    return [
        [Branch(tokens=[rng.randrange(20, words) for _ in range(size)]) for size in group]
        for group in sizes
    ]


def by_transformers(policy: Policy, prompt_index: int, tokens: list[int], samples: list) -> Tensor:
    """Log-probabilities from the model's own forward pass over one full row."""
    prompt = policy.encode(samples[prompt_index])
    logits = policy.vlm(**own_inputs(policy, prompt, tokens)).logits[0, -len(tokens) - 1 : -1]
    logits[:, policy.spec.placeholders] = -torch.inf
    return logits.log_softmax(-1).gather(-1, torch.tensor(tokens)[:, None])[:, 0]


@pytest.mark.slow
def test_shared_logprobs_equal_the_models_own_forward_pass(make_policy: MakePolicy) -> None:
    policy, samples = make_policy(None), world_samples(3)
    groups = completions(policy, [[7, 3, 1], [12], [5, 9]])
    prompts = [policy.encode(sample) for sample in samples]
    with torch.no_grad():
        result = policy.logprobs(prompts, groups)
        flat = [(i, list(b.tokens)) for i, group in enumerate(groups) for b in group]
        for row, (index, tokens) in enumerate(flat):
            expected = by_transformers(policy, index, tokens, samples)
            torch.testing.assert_close(
                result.logprobs[row, : len(tokens)], expected, atol=2e-5, rtol=1e-5
            )
            assert result.mask[row].sum() == len(tokens)


def test_the_plain_path_uses_the_features_that_it_is_given(make_policy: MakePolicy) -> None:
    policy, samples = make_policy(None, prefix_sharing=False), world_samples(2)
    groups = completions(policy, [[7, 3], [5]])
    prompts = [policy.encode(sample) for sample in samples]
    with torch.no_grad():
        features = policy.features(prompts)
        expected = policy.logprobs(prompts, groups).logprobs
        torch.testing.assert_close(policy.logprobs(prompts, groups, features).logprobs, expected)
        swapped = policy.logprobs(prompts, groups, features[::-1]).logprobs
    assert (swapped - expected).abs().max() > 1e-3


def test_sharing_the_prefix_changes_neither_logprobs_nor_gradients(
    make_policy: MakePolicy,
) -> None:
    gradients, logprobs = [], []
    for sharing in (True, False):
        policy = make_policy(None, prefix_sharing=sharing)
        groups = completions(policy, [[7, 3, 11], [6, 6]])
        prompts = [policy.encode(sample) for sample in world_samples(2)]
        result = policy.logprobs(prompts, groups, temperature=0.7)
        weights = torch.linspace(-1, 1, result.logprobs.numel()).view_as(result.logprobs)
        (result.logprobs * weights * result.mask).sum().backward()
        gradients.append({n: p.grad for n, p in policy.named_parameters() if p.grad is not None})
        logprobs.append(result.logprobs.detach())
    torch.testing.assert_close(logprobs[0], logprobs[1], atol=2e-5, rtol=1e-5)
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=2e-4, rtol=1e-3)


def gradients_of(policy: Policy, sizes: list[list[int]]) -> tuple[Tensor, dict[str, Tensor]]:
    """Log-probabilities, and the gradients of a sum of them."""
    prompts = [policy.encode(sample) for sample in world_samples(len(sizes))]
    result = policy.logprobs(prompts, completions(policy, sizes), temperature=0.7)
    weights = torch.linspace(-1, 1, result.logprobs.numel()).view_as(result.logprobs)
    loss = (result.logprobs * weights * result.mask).sum()
    assert not result.entropy.requires_grad
    loss.backward()
    found = {n: p.grad for n, p in policy.named_parameters() if p.grad is not None}
    return result.logprobs.detach(), found


def test_a_head_in_chunks_changes_neither_logprobs_nor_gradients(
    make_policy: MakePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = [make_policy("lora"), make_policy("lora")]
    whole = gradients_of(policies[0], [[7, 3, 11], [6]])
    vocabulary = policies[1].vlm.config.text_config.vocab_size
    monkeypatch.setattr("groundrl.policy.shared_prefix.scoring.MAX_LOGITS", 5 * vocabulary)
    seen: list[int] = []
    policies[1].vlm.lm_head.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    chunks = gradients_of(policies[1], [[7, 3, 11], [6]])
    assert sorted(seen) == sorted([5, 5, 5, 5, 5, 2] * 2)  # and once more in the backward pass
    torch.testing.assert_close(chunks, whole, atol=1e-6, rtol=1e-5)


def test_recomputed_activations_change_neither_gradients_nor_rollouts(
    make_policy: MakePolicy,
) -> None:
    plain = make_policy("lora").train()
    policy = make_policy("lora", gradient_checkpointing=True).train()
    passes: list[int] = []
    layer = policy.vlm.model.language_model.layers[0]
    layer.mlp.register_forward_pre_hook(lambda _, args: passes.append(args[0].shape[1]))
    found, kept = (gradients_of(one, [[7, 3], [6]]) for one in (policy, plain))
    torch.testing.assert_close(found, kept, atol=1e-6, rtol=1e-5)
    assert len(passes) == 2
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=4), group_size=2)
    examples = policy.encode.examples(world_samples(1))
    # A layer that recomputes would have no key-value cache.
    found, kept = (sampler(one, examples, step=0).groups for one in (policy, plain))
    assert found == kept
    assert passes[3:] == [1] * len(passes[3:])


def test_context_of_a_branch_is_read_but_not_scored(make_policy: MakePolicy) -> None:
    policy = make_policy(None)
    prompt = policy.encode(world_samples(1)[0])
    with torch.no_grad():
        whole = policy.logprobs([prompt], [[Branch(tokens=[30, 31, 32, 33])]])
        part = policy.logprobs([prompt], [[Branch(tokens=[30, 31, 32, 33], context=2)]])
    assert part.mask.tolist() == [[False, False, True, True]]
    torch.testing.assert_close(part.logprobs[0, 2:], whole.logprobs[0, 2:])
    assert (part.logprobs[0, :2] == 0).all()


def test_entropy_is_that_of_the_distribution(make_policy: MakePolicy) -> None:
    policy = make_policy(None)
    prompt = policy.encode(world_samples(1)[0])
    with torch.no_grad():
        result = policy.logprobs([prompt], [[Branch(tokens=[30])]])
        never = (policy.vlm.config.image_token_id, policy.vlm.config.video_token_id)
        words = [t for t in range(len(policy.processor.tokenizer)) if t not in never]
        every = policy.logprobs([prompt], [[Branch(tokens=[t]) for t in words]]).logprobs[:, 0]
    assert every.exp().sum().item() == pytest.approx(1, abs=1e-4)
    assert result.entropy[0, 0].item() == pytest.approx(-(every.exp() * every).sum().item(), 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lora", "none"])
def test_the_reference_stays_while_the_policy_moves(make_policy: MakePolicy, kind: str) -> None:
    policy = make_policy(kind)
    prompt = policy.encode(world_samples(1)[0])
    group = completions(policy, [[6, 4]])

    def now() -> Tensor:
        return policy.logprobs([prompt], group).logprobs

    start = now().detach()
    policy.fix_reference()
    optimizer = torch.optim.SGD([p for p in policy.parameters() if p.requires_grad], lr=0.05)
    for _ in range(2):
        optimizer.zero_grad()
        now().sum().backward()
        optimizer.step()
        with policy.reference():
            torch.testing.assert_close(now(), start)
    assert (now().detach() - start).abs().max() > 1e-3


def test_the_tower_and_the_base_learn_nothing_under_lora(make_policy: MakePolicy) -> None:
    policy = make_policy("lora")
    trained = [name for name, p in policy.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora_" in name and "visual" not in name for name in trained)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lora", "none"])
def test_what_is_saved_is_what_is_loaded(
    make_policy: MakePolicy, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("adapter")
    trained, fresh = make_policy(kind), make_policy(kind)
    for parameter in trained.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.05)
    trained.save(folder)
    fresh.load(folder)
    prompt, group = trained.encode(world_samples(1)[0]), completions(trained, [[6, 4]])
    with torch.no_grad():
        torch.testing.assert_close(
            fresh.logprobs([prompt], group).logprobs, trained.logprobs([prompt], group).logprobs
        )


lengths = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def tokens(rows: list[int]) -> int:
    """Of the pass that these rows share, padding included."""
    return len(rows) * padded_length(max(rows))


@pytest.mark.parametrize("size", [31, 32, 33])
def test_a_pass_holds_as_many_tokens_as_its_budget_when_it_is_laid_out(size: int) -> None:
    found = pack_rows([size] * 40, 1000)
    one = torch.arange(size - 13)
    prefix = Prefix(tokens=one, positions=one[None], images=one * 0)
    for pack in found:
        branches = [[Branch(tokens=range(13))] for _ in pack]
        laid_out = lay_out([prefix] * len(pack), branches, pad=0).input_ids.numel()
        assert laid_out == tokens([size] * len(pack)) <= 1000


@given(rows=lengths, budget=st.integers(1, 300))
def test_packs_hold_every_row_once_and_fit(rows: list[int], budget: int) -> None:
    found = pack_rows(rows, budget)
    assert sorted(i for pack in found for i in pack) == list(range(len(rows)))
    for pack in found:
        assert len(pack) == 1 or tokens([rows[i] for i in pack]) <= budget


@given(prefix=st.integers(1, 40), branches=lengths, budget=st.integers(1, 200))
def test_parts_of_a_group_hold_every_branch_once_and_fit(
    prefix: int, branches: list[int], budget: int
) -> None:
    parts = [branches[part] for part in split_group(prefix, branches, budget)]
    assert [length for part in parts for length in part] == branches
    assert all(len(part) == 1 or tokens([prefix + sum(part)]) <= budget for part in parts)
    # No two neighbours would have fitted together with the first branch of the next.
    assert all(tokens([prefix + sum(a) + b[0]]) > budget for a, b in pairwise(parts))
