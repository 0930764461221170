"""The warm-up learns, and touches nothing but the adapter."""

import os
import signal
from pathlib import Path

import pytest
import torch
from stage_runs import MakePolicy, logged, sft_module, train, weights
from world_questions import world_samples

from groundrl.errors import UserError
from groundrl.grammar import get_grammar
from groundrl.policy.policy import Policy
from groundrl.records import Sample
from groundrl.stages.optimization import Optimization
from groundrl.stages.sft import SFTModule


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


class Meddling(SFTModule):
    """Changes one bit of the base in its third step."""

    presses_ctrl_c = False

    def training_step(self, samples: list[Sample], batch_index: int) -> None:
        super().training_step(samples, batch_index)
        if batch_index == 2:
            base = self.policy.vlm.get_input_embeddings().weight
            base.data.view(torch.int32)[5, 5] ^= 1
            if self.presses_ctrl_c:
                os.kill(os.getpid(), signal.SIGINT)


def meddling(policy: Policy) -> Meddling:
    return Meddling(policy, get_grammar("obj_bbox"), Optimization(lr=1e-3, steps=8, warmup=2))


def test_a_changed_base_weight_stops_the_run(make_policy: MakePolicy, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="base weights changed since the last checkpoint"):
        train(meddling(make_policy()), tmp_path, steps=8)
    checkpoint = torch.load(tmp_path / "checkpoints/stage/last.ckpt", weights_only=False)
    assert checkpoint["global_step"] == 2


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_changed_base_weight_is_never_saved(
    make_policy: MakePolicy, tmp_path: Path, interrupted: bool
) -> None:
    """At the end of the stage, and after Ctrl-C."""
    module = meddling(make_policy())
    module.presses_ctrl_c = interrupted
    with pytest.raises(RuntimeError, match="base weights changed"):
        train(module, tmp_path, steps=8, checkpoint_every=50)
    assert not list((tmp_path / "checkpoints").rglob("*.ckpt"))


def test_a_full_memory_is_told_with_what_to_lower(make_policy: MakePolicy, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    module = sft_module(make_policy(), tokens_per_forward=1000)
    module.policy.vlm.lm_head.register_full_backward_pre_hook(full)
    with pytest.raises(UserError, match=r"sft.*tokens_per_forward \(now 1000\), model\.max_pixels"):
        train(module, tmp_path)
