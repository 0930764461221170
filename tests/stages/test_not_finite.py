"""Numbers that are not finite stop a stage, or are skipped where that is allowed."""

import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from stage_runs import MakePolicy, grpo_module, logged, sft_module, train, weights
from torch import Tensor

from groundrl.errors import UserError
from groundrl.grammar import get_grammar
from groundrl.policy.policy import Policy
from groundrl.rollout.token_sampling import sample_inverse_cdf
from groundrl.running.stopping import Stopped
from groundrl.stages.fitting.checkpoint_file import read_checkpoint
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.fitting.passes import PassLosses
from groundrl.stages.sft import SFTModule


class Broken(SFTModule):
    """The loss of some steps is not a number."""

    broken: tuple[int, ...] = (2,)
    stops_at = 0

    def optimizer_step_on(
        self,
        losses: PassLosses | Sequence[Tensor],
        max_grad_norm: float,
        may_skip: int = 0,
    ) -> float:
        factor = float("nan") if self._step in self.broken else 1.0
        if self._step == self.stops_at:
            signal.raise_signal(signal.SIGTERM)
        scaled = [x * factor for x in losses]
        return super().optimizer_step_on(scaled, max_grad_norm, may_skip)


def broken(policy: Policy, max_skipped: float) -> Broken:
    optimization = Optimization(lr=3e-3, steps=4, warmup=2, max_skipped=max_skipped)
    return Broken(policy, get_grammar("obj_bbox"), optimization)


def saved_weights(run_dir: Path) -> list[Tensor]:
    files = (run_dir / "checkpoints" / "stage").glob("*.ckpt")
    return [w for file in files for w in read_checkpoint(file)["state_dict"].values()]


@pytest.mark.slow
@pytest.mark.parametrize("make", [sft_module, grpo_module])
def test_a_learning_rate_that_breaks_the_weights_is_named_with_step_and_samples(
    make_policy: MakePolicy, tmp_path: Path, make: Callable[..., Any]
) -> None:
    message = r"^stage, step \d: .* at learning rate \S*e\+3\d, on the samples \S+, \S+, \S+\. The"
    with pytest.raises(UserError, match=message):
        train(make(make_policy(), lr=1e37), tmp_path)
    assert all(weight.isfinite().all() for weight in saved_weights(tmp_path))


@pytest.mark.slow
def test_a_loss_that_is_not_finite_changes_no_weight(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    module = broken(make_policy(), max_skipped=0.0)
    message = r"step 2: the loss is nan, .* 0\.003.* Lower stage\.stage\.module\.optimization\.lr "
    with pytest.raises(UserError, match=message):
        train(module, tmp_path)
    kept = read_checkpoint(tmp_path / "checkpoints" / "stage" / "last.ckpt")
    assert kept["global_step"] == 1
    for name, value in weights(module).items():
        assert torch.equal(kept["state_dict"][name], value)


@pytest.mark.slow
def test_a_share_of_the_steps_may_be_skipped_also_in_a_resumed_run(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    straight = broken(make_policy(), max_skipped=0.25)
    train(straight, tmp_path / "straight")
    assert len(logged(tmp_path / "straight")["lr"]) == 4
    stopped = broken(make_policy(), max_skipped=0.25)
    stopped.stops_at = 2
    with pytest.raises(Stopped):
        train(stopped, tmp_path / "resumed")
    resumed = broken(make_policy(), max_skipped=0.25)
    train(resumed, tmp_path / "resumed")
    assert resumed.skipped_steps == 1
    for name, value in weights(straight).items():
        assert torch.equal(weights(resumed)[name], value)
    twice = broken(make_policy(), max_skipped=0.25)
    twice.broken = (2, 4)
    with pytest.raises(UserError, match="step 4: the loss is nan"):
        train(twice, tmp_path / "twice")


@pytest.mark.parametrize(("share", "steps", "skips"), [(0.0, 40, 0), (0.02, 99, 1), (1.0, 3, 3)])
def test_a_share_of_the_steps_is_rounded_down(share: float, steps: int, skips: int) -> None:
    optimization = Optimization(lr=1.0, steps=steps)
    assert replace(optimization, max_skipped=share).may_skip == skips


def test_probabilities_that_are_no_numbers_give_a_token_of_the_vocabulary() -> None:
    logprobs = torch.full((2, 5), float("nan"))
    assert sample_inverse_cdf(logprobs, torch.tensor([0.1, 0.9])).tolist() == [4, 4]
