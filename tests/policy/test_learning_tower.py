"""A vision tower that learns: its features change, its store is off, its reference stays."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from stage_runs import grpo_module, sft_module, train
from world_questions import world_samples

from groundrl.losses import PolicyLoss
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.family import is_tower
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.policy.vision_store import VisionStore
from groundrl.prompts import PromptTemplate

MakePolicy = Callable[..., Policy]
LORA = Adapter(rank=4, alpha=8, vision="lora")
FULL = Adapter(kind="none", vision="full")
every_kind = pytest.mark.parametrize("adapter", [LORA, FULL], ids=["lora", "full"])


@torch.no_grad()
def answer_logprobs(policy: Policy) -> torch.Tensor:
    prompts = [policy.encode(sample) for sample in world_samples(2)]
    groups = [[Branch(tokens=[60, 61, 62]), Branch(tokens=[63])], [Branch(tokens=[64, 65])]]
    return policy.logprobs(prompts, groups).logprobs


def tower(policy: Policy) -> dict[str, torch.Tensor]:
    """Copies of the tower's weights that learn."""
    return {
        name: p.detach().clone()
        for name, p in policy.vlm.named_parameters()
        if p.requires_grad and is_tower(name, policy.spec.language_model)
    }


@pytest.mark.slow
@every_kind
def test_sft_and_grpo_move_the_tower_and_the_reference_stays(
    adapter: Adapter, make_policy: MakePolicy, tmp_path: Path
) -> None:
    policy = make_policy(adapter)
    before = tower(policy)
    train(sft_module(policy, lr=0.01), tmp_path / "sft", steps=2)
    warm = tower(policy)
    assert before.keys() == warm.keys()
    assert any((before[name] != warm[name]).any() for name in before)
    start = answer_logprobs(policy)
    train(grpo_module(policy, loss=PolicyLoss(kl_coef=0.1), lr=0.01), tmp_path / "grpo", steps=2)
    assert any((warm[name] != now).any() for name, now in tower(policy).items())
    after = answer_logprobs(policy)
    assert (after - start).abs().max() > 1e-4
    with policy.reference():
        torch.testing.assert_close(answer_logprobs(policy), start)
    torch.testing.assert_close(answer_logprobs(policy), after)


@pytest.mark.slow
@every_kind
def test_what_is_saved_answers_as_the_policy_did(
    adapter: Adapter, make_policy: MakePolicy, tmp_path: Path
) -> None:
    policy = make_policy(adapter)
    base = make_policy(None)
    base.save(tmp_path / "base")
    train(sft_module(policy, lr=0.01), tmp_path / "sft", steps=2)
    policy.save(tmp_path / "saved")
    path, trained = str(tmp_path / "base"), str(tmp_path / "saved")
    if adapter is FULL:
        path, trained = trained, None
    loaded = load_policy(path, "permille", PromptTemplate(), Adapter(kind="frozen", path=trained))
    assert not loaded.tower.learns
    torch.testing.assert_close(answer_logprobs(loaded), answer_logprobs(policy))
    assert (answer_logprobs(base) - answer_logprobs(policy)).abs().max() > 1e-4


@every_kind
def test_sharing_prompts_changes_no_gradient_of_the_tower(
    adapter: Adapter, make_policy: MakePolicy
) -> None:
    found = []
    for sharing in (True, False):
        policy = make_policy(adapter, prefix_sharing=sharing)
        prompts = [policy.encode(sample) for sample in world_samples(2)]
        groups = [[Branch(tokens=[60, 61, 62]), Branch(tokens=[63])], [Branch(tokens=[64, 65])]]
        assert policy.fixed_features(prompts) == [None, None]
        scored = policy.logprobs(prompts, groups, policy.fixed_features(prompts))
        scored.logprobs.sum().backward()
        found.append({n: p.grad for n, p in policy.named_parameters() if p.grad is not None})
    assert any(gradient.any() for name, gradient in found[0].items() if ".visual." in name)
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-3)


def test_only_features_of_a_frozen_tower_are_stored(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    for adapter, files in ((Adapter(vision="lora"), 0), (Adapter(), 1)):
        policy = make_policy(adapter, vision_store=VisionStore(tmp_path))
        policy.fixed_features([policy.encode(world_samples(1)[0])])
        policy.features([policy.encode(world_samples(1)[0])])
        assert len(list(tmp_path.glob("*/*.safetensors"))) == files
