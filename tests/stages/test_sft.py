"""The warm-up learns, and touches nothing but the adapter."""

from pathlib import Path

import torch
from stage_runs import MakePolicy, logged, sft_module, train, weights
from world_questions import world_samples


def test_the_loss_of_a_handful_of_samples_falls(make_policy: MakePolicy, tmp_path: Path) -> None:
    module = sft_module(make_policy(), lr=1e-2, steps=12)
    train(module, tmp_path, steps=12, prompts_per_step=4, samples=world_samples(4))
    loss = logged(tmp_path)["sft/loss"]
    assert loss[max(loss)] < 0.75 * loss[min(loss)]


def test_the_base_stays_as_it_is_to_the_last_bit(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy()
    base, adapter = weights(policy, learning=False), weights(policy)
    train(sft_module(policy), tmp_path)
    after = weights(policy, learning=False)
    assert all(torch.equal(base[name], after[name]) for name in base)
    assert any(not torch.equal(adapter[name], value) for name, value in weights(policy).items())
