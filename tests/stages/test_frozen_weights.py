"""A run ends when a weight changes that does not learn, under way or between two starts."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from stage_runs import MakePolicy, grpo_module, sft_module, train

from groundrl.errors import UserError
from groundrl.grammar import get_grammar
from groundrl.losses import PolicyLoss
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example
from groundrl.rollout.sampler import Rollout
from groundrl.stages.fitting.batches import Group
from groundrl.stages.fitting.checkpoint_file import read_checkpoint
from groundrl.stages.fitting.frozen_weights import BASE
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.pipeline import Warmup
from groundrl.stages.sft import SFTModule

pytestmark = pytest.mark.slow


def embedding(policy: Policy) -> torch.nn.Parameter:
    return next(p for n, p in policy.named_parameters() if "embed_tokens" in n)


class Meddling(SFTModule):
    """Changes one bit of the base in its third step."""

    presses_ctrl_c = False

    def training_step(self, examples: list[Example], batch_index: int) -> None:
        super().training_step(examples, batch_index)
        if batch_index == 2:
            embedding(self.policy).data.view(torch.int32)[5, 5] ^= 1
            if self.presses_ctrl_c:
                os.kill(os.getpid(), signal.SIGINT)


def meddling(policy: Policy) -> Meddling:
    return Meddling(policy, get_grammar("obj_bbox"), Optimization(lr=1e-3, steps=8, warmup=2))


def test_a_changed_base_weight_stops_the_run(make_policy: MakePolicy, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="base weights changed since the last checkpoint"):
        train(meddling(make_policy()), tmp_path, steps=8)
    checkpoint = read_checkpoint(tmp_path / "checkpoints/stage/last.ckpt")
    assert checkpoint["global_step"] == 2


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_changed_base_weight_is_never_saved(
    make_policy: MakePolicy, tmp_path: Path, interrupted: bool
) -> None:
    """At the end of the stage, and after Ctrl-C."""
    module = meddling(make_policy())
    module.presses_ctrl_c = interrupted
    with pytest.raises(RuntimeError, match="base weights changed"):
        train(module, tmp_path, steps=8, checkpoint_seconds=600.0)
    assert not list((tmp_path / "checkpoints").rglob("*.ckpt"))


@pytest.mark.parametrize("kind", ["lora", "none"])
@pytest.mark.parametrize("part", ["base", "reference"])
def test_a_change_of_weights_that_do_not_learn_ends_the_run(
    make_policy: MakePolicy, tmp_path: Path, kind: str, part: str
) -> None:
    """The tower where the language model learns; the reference as adapter and as a copy."""
    policy = make_policy(kind)
    module = grpo_module(policy, loss=PolicyLoss(kl_coef=0.1))
    update = module.update
    tower = next(p for n, p in policy.named_parameters() if ".visual." in n)
    copied = [p for copied in policy._frozen_copy for p in copied.parameters()]
    adapter = [p for n, p in policy.named_parameters() if ".reference." in n]

    def meddle(rollout: Rollout, learning: Mapping[int, Group]) -> dict[str, float]:
        weight = tower if part == "base" else (copied + adapter)[-1]
        weight.data.view(torch.int32).view(-1)[0] ^= 1
        return update(rollout, learning)

    module.update = meddle
    with pytest.raises(RuntimeError, match=f"^{part} weights changed"):
        train(module, tmp_path, steps=1)


def reference(policy: Policy) -> torch.nn.Parameter:
    return next(p for n, p in policy.named_parameters() if "lora_B" in n and "default" in n)


@pytest.mark.parametrize(("part", "weight"), [("base", embedding), ("reference", reference)])
def test_a_checkpoint_goes_on_with_its_own_weights_only(
    make_policy: MakePolicy,
    tmp_path: Path,
    part: str,
    weight: Callable[[Policy], torch.nn.Parameter],
) -> None:
    loss = PolicyLoss(kl_coef=0.1)
    train(grpo_module(make_policy(), loss=loss), tmp_path, steps=2)
    other = make_policy()
    weight(other).data.view(torch.int32)[0, 0] ^= 1  # the adapter of now is the reference
    saved = (tmp_path / "checkpoints/stage/last.ckpt").read_bytes()
    message = f"the {part} weights are not those that .*checkpoints was trained with: put back what"
    with pytest.raises(UserError, match=message):
        train(grpo_module(other, loss=loss), tmp_path, steps=2)
    assert (tmp_path / "checkpoints/stage/last.ckpt").read_bytes() == saved
    train(grpo_module(make_policy(), loss=loss), tmp_path, steps=2)


@pytest.mark.parametrize("shared", [False, True])
def test_a_stage_starts_with_the_base_of_the_stage_before(
    make_policy: MakePolicy, tmp_path: Path, shared: bool
) -> None:
    """Of this run, or of the run whose warm-up it takes over."""
    run = tmp_path / "run"
    train(sft_module(make_policy()), run, steps=1)
    (run / "checkpoints/stage/last.ckpt").unlink()  # the next stage has another
    if shared:
        (run / "checkpoints/metrics.json").write_text("{}")
        warmup, run = Warmup(folder=tmp_path / "cache"), tmp_path / "other"
        warmup.store(tmp_path / "run", "stage")
        warmup.fetch(run)
    assert (run / BASE).exists()
    other = make_policy()
    embedding(other).data.view(torch.int32)[0, 0] ^= 1
    with pytest.raises(UserError, match=r"the base weights are not those .* another cache_dir="):
        train(grpo_module(other), run, steps=1)
    train(grpo_module(make_policy()), run, steps=1)
