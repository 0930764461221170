"""The warm-up learns, and touches nothing but the adapter."""

from pathlib import Path

import pytest
import torch
from stage_runs import MakePolicy, logged, sft_module, train, weights
from world_questions import world_samples

from groundrl.errors import UserError


@pytest.mark.slow
def test_the_loss_of_a_handful_of_samples_falls(make_policy: MakePolicy, tmp_path: Path) -> None:
    module = sft_module(make_policy(), lr=1e-2, steps=12)
    train(module, tmp_path, steps=12, prompts_per_step=4, samples=world_samples(4))
    loss = logged(tmp_path)["sft/loss"]
    assert loss[max(loss)] < 0.75 * loss[min(loss)]


@pytest.mark.slow
def test_the_base_stays_as_it_is_to_the_last_bit(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy()
    base, adapter = weights(policy, learning=False), weights(policy)
    train(sft_module(policy), tmp_path)
    after = weights(policy, learning=False)
    assert all(torch.equal(base[name], after[name]) for name in base)
    assert any(not torch.equal(adapter[name], value) for name, value in weights(policy).items())


@pytest.mark.slow
def test_small_forward_passes_change_nothing(make_policy: MakePolicy, tmp_path: Path) -> None:
    found = []
    for budget in (1, 8192):
        policy = make_policy()
        module = sft_module(policy, tokens_per_forward=budget)
        train(module, tmp_path / str(budget), samples=world_samples(4))
        found.append((logged(tmp_path / str(budget)), weights(policy)))
    for step, loss in found[0][0]["sft/loss"].items():
        assert loss == pytest.approx(found[1][0]["sft/loss"][step], rel=1e-4)
    for name, value in found[0][1].items():
        torch.testing.assert_close(value, found[1][1][name], atol=1e-4, rtol=1e-3)


def test_an_answer_that_does_not_fit_names_its_sample(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    policy, (sample,) = make_policy(), world_samples(1)
    module = sft_module(policy)
    prompt = policy.encode(sample)
    answer = len(module.target(sample, prompt))
    text = policy.vlm.config.get_text_config()
    text.max_position_embeddings = len(prompt.prefix.tokens) + answer
    train(module, tmp_path / "fits", steps=1, prompts_per_step=1, samples=[sample])
    text.max_position_embeddings -= 1
    message = (
        rf"sample '{sample.id}' has a prompt of {len(prompt.prefix.tokens)} tokens, and with an "
        rf"answer of {answer} .* the model's positions .*: lower model\.max_pixels .* leave the"
    )
    with pytest.raises(UserError, match=message):
        train(sft_module(policy), tmp_path, steps=1, prompts_per_step=1, samples=[sample])
