"""An update or a rollout that does not fit into memory goes on in halves, with the same result."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from families import build
from small_memory import fill_above, limit_backward, limit_forward, limit_inputs
from stage_runs import MakePolicy, grpo_module, logged, sft_module, train, weights
from test_forward_passes import Elsewhere, OneWinner
from world_questions import world_samples

from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.losses import PolicyLoss
from groundrl.policy.policy import Policy
from groundrl.prompts import PromptTemplate
from groundrl.rollout.base import Sampling
from groundrl.rollout.lengths import pixel_option
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler
from groundrl.stages.base import Stage

LARGE = 10**9


def two_epochs(policy: Policy) -> Stage:
    """GRPO with old and reference log-probabilities; the rollouts need no memory."""
    loss = PolicyLoss(kl_coef=0.1)
    engine = Elsewhere()
    return grpo_module(policy, OneWinner(winners=3), loss=loss, engine=engine, num_epochs=2)


def trained(
    policy: Policy, make: Callable[[Policy], Stage], run_dir: Path
) -> tuple[dict[str, dict[int, float]], dict[str, torch.Tensor]]:
    """Curves and weights after two steps of three prompts."""
    train(make(policy), run_dir, steps=2, name="second")
    return logged(run_dir, "second"), weights(policy)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [limit_forward, limit_backward])
@pytest.mark.parametrize("sharing", [True, False])
@pytest.mark.parametrize("make", [sft_module, two_epochs])
def test_an_update_in_halves_is_the_update(
    make_policy: MakePolicy,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[Policy], Stage],
    sharing: bool,
    limit: Callable[..., list[int]],
) -> None:
    whole = make_policy(prefix_sharing=sharing)
    sizes = limit(whole.vlm.get_decoder(), LARGE)
    curves, learned = trained(whole, make, tmp_path / "whole")
    small = make_policy(prefix_sharing=sharing)
    room = max(sizes) // 3 - (32 if make is two_epochs and sharing else 0)  # groups are split
    tried = limit(small.vlm.get_decoder(), room)
    with caplog.at_level(logging.WARNING, "groundrl"):
        small_curves, small_learned = trained(small, make, tmp_path / "small")
    assert max(tried) == max(sizes)
    first = next(i for i, size in enumerate(tried) if size > room)
    halved = [size for size in tried[first:] if size > room]
    assert halved == sorted(set(halved), reverse=True)  # each too large size is tried once
    assert len(caplog.messages) == 1
    assert "type stage.second.module.tokens_per_forward=" in caplog.messages[0]
    for name, curve in curves.items():
        assert small_curves[name] == pytest.approx(curve, rel=1e-3, abs=1e-5), name
    for name, value in learned.items():
        torch.testing.assert_close(small_learned[name], value, atol=1e-4, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [limit_forward, limit_backward])
@pytest.mark.parametrize("make", [sft_module, two_epochs])
def test_a_row_that_does_not_fit_names_what_bounds_it(
    make_policy: MakePolicy, tmp_path: Path, make: Callable[..., Any], limit: Callable[..., Any]
) -> None:
    module = make(make_policy())
    limit(module.policy.vlm.get_decoder(), 10)
    tokens = (
        r"lower stage\.stage\.module\.sampler\.sampling\.max_tokens \(now 8\), or "
        if make is two_epochs
        else ""
    )
    message = (
        rf"2 GiB\), also with the smallest batch: {tokens}lower model\.max_pixels \(now 65536\), "
        r"or type model\.gradient_checkpointing=true, or type model=<a smaller one>, in a new run$"
    )
    with pytest.raises(UserError, match=message):
        train(module, tmp_path)


@pytest.mark.slow
def test_a_rollout_in_halves_is_the_rollout(
    make_policy: MakePolicy, caplog: pytest.LogCaptureFixture
) -> None:
    policy = make_policy(None)
    policy.vlm.lm_head.weight.data[policy.eos_token] *= 2  # groups end at different times
    examples = policy.encode.examples(world_samples(6))

    def sample(engine: NativeEngine) -> tuple[Any, list[int]]:
        sampler, came = Sampler(engine, Sampling(max_tokens=12), group_size=2), list[int]()
        found = sampler(policy, examples, step=0, on_group=lambda index, _: came.append(index))
        return [[one.tokens for one in group.completions] for group in found.groups], came

    expected, order = sample(NativeEngine())
    steps: list[int] = []

    def look(_: object, __: object, options: dict[str, Any]) -> None:
        rows, new = options["inputs_embeds"].shape[:2]
        steps.append(0) if new > 1 else steps.append(steps[-1] + 1)
        if steps[-1] >= 4:  # caches have grown
            fill_above(5, [], rows)

    policy.vlm.get_decoder().register_forward_pre_hook(look, with_kwargs=True)
    with caplog.at_level(logging.WARNING, "groundrl"):
        found, came = sample(NativeEngine())
    assert steps.count(0) > 2
    assert found == expected
    assert sorted(came) == sorted(order) == [*range(6)]
    assert len(caplog.messages) == 1
    assert "type rollout.tokens_per_batch=" in caplog.messages[0]


@pytest.mark.slow
def test_a_prompt_whose_completions_do_not_fit_names_what_bounds_them(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    module = grpo_module(make_policy())
    limit_forward(module.policy.vlm.get_decoder(), 10)
    message = r"lower .*group_size \(now 4\), or lower .*max_tokens \(now 8\), or lower model\.max_"
    with pytest.raises(UserError, match=message):
        train(module, tmp_path)


@pytest.mark.slow
def test_images_are_encoded_in_halves(
    make_policy: MakePolicy, caplog: pytest.LogCaptureFixture
) -> None:
    policy = make_policy()
    prompts = [prompt for _, prompt in policy.encode.examples(world_samples(5))]
    expected = policy.fixed_features(prompts)
    patches = sum(len(image.pixels["pixel_values"]) for one in prompts for image in one.images)
    tried, hook = limit_inputs(policy.vlm.model.visual, patches // 2)
    with caplog.at_level(logging.WARNING, "groundrl"):
        found = policy.fixed_features(prompts), policy.fixed_features(prompts)
    assert [size > patches // 2 for size in tried] == [True, *[False] * 6]
    for again in found:
        for one, other in zip(again, expected, strict=True):
            assert one is not None
            assert other is not None
            torch.testing.assert_close(one.tokens, other.tokens, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(one.deepstack, other.deepstack, atol=1e-4, rtol=1e-4)
    assert len(caplog.messages) == 1
    hook.remove()
    limit_inputs(policy.vlm.model.visual, 1)
    with pytest.raises(torch.OutOfMemoryError):
        policy.fixed_features(prompts)


@pytest.mark.parametrize(
    ("family", "option"),
    [
        ("qwen2_5_vl", {"model.max_pixels": 28 * 28 * 16}),
        ("gemma3", {}),
        ("internvl", {}),
    ],
)
def test_pixels_are_named_where_the_processor_is_given_a_limit(
    family: str, option: dict[str, int]
) -> None:
    assert pixel_option(Policy(*build(family), PromptTemplate(), Frame.PERMILLE)) == option
