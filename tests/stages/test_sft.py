"""The warm-up learns, and touches nothing but the adapter."""

from pathlib import Path

import pytest
import torch
from stage_runs import MakePolicy, logged, sft_module, train, weights
from world_questions import world_samples

from groundrl.errors import UserError
from groundrl.stages.sft import place_of


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


def test_the_reasoning_of_the_chosen_share_of_samples_says_in_words_what_it_sees(
    make_policy: MakePolicy,
) -> None:
    policy, samples = make_policy(), world_samples(8)

    def texts(pointing: float) -> list[str]:
        module = sft_module(policy)
        module.pointing = pointing
        targets = [module.target(sample, policy.encode(sample)) for sample in samples]
        return [policy.decode(tokens) for tokens in targets]

    pointed, in_words, half = texts(1.0), texts(0.0), texts(0.5)
    for sample, boxed, plain, mixed in zip(samples, pointed, in_words, half, strict=True):
        assert "<bbox>" in boxed
        assert "<bbox>" not in plain
        assert all(grounding.label in plain for grounding in sample.groundings)
        assert plain.partition("<answer>")[2] == boxed.partition("<answer>")[2]
        assert mixed == (boxed if place_of(sample.id) < 0.5 else plain)
    assert {"<bbox>" in text for text in half} == {True, False}


def test_places_of_ids_are_spread_evenly() -> None:
    places = [place_of(f"sample-{number}") for number in range(2000)]
    assert all(0 <= place < 1 for place in places)
    assert sum(place < 0.3 for place in places) / 2000 == pytest.approx(0.3, abs=0.04)
