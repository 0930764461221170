"""A run that was interrupted ends where a run that was not does, to the last bit."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from stage_runs import MakePolicy, grpo_module, logged, sft_module, train, weights

from groundrl.policy.prompt import Prompt
from groundrl.policy.vision_store import VisionFeatures
from groundrl.records import RolloutGroup
from groundrl.rewards.base import RewardedAttempt, RewardSum
from groundrl.running.stopping import Stopped
from groundrl.stages.base import Stage
from groundrl.stages.fitting.checkpoint_file import read_checkpoint

pytestmark = pytest.mark.slow

STAGES: dict[str, Callable[..., Stage]] = {"sft": sft_module, "grpo": grpo_module}


class PowerCut(Exception):
    """Nobody catches it."""


def interrupt_at(module: Stage, step: int, act: Callable[[], None]) -> None:
    """Let ``act`` happen in the middle of the ``step``-th step from here (from 1)."""
    look, calls = module.policy.features, iter(range(1, 1000))

    def features(prompts: list[Prompt]) -> list[VisionFeatures]:
        if next(calls) == step:
            act()
        return look(prompts)

    module.policy.features = features


def cut_power() -> None:
    raise PowerCut


def press_ctrl_c() -> None:
    """A terminal sends it to the loader's processes, too."""
    for worker in multiprocessing.active_children():
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)


def assert_same_run(straight: Stage, straight_dir: Path, resumed: Stage, resumed_dir: Path) -> None:
    expected, found = weights(straight.policy), weights(resumed.policy)
    assert expected.keys() == found.keys()
    for name in expected:
        assert torch.equal(expected[name], found[name]), name
    assert logged(straight_dir) == logged(resumed_dir)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("step", [1, 3])
def test_a_crash_in_the_middle_of_a_step_costs_nothing(
    make_policy: MakePolicy, tmp_path: Path, name: str, step: int
) -> None:
    straight = STAGES[name](make_policy())
    train(straight, tmp_path / "straight")
    crashed = STAGES[name](make_policy())
    interrupt_at(crashed, step, cut_power)
    with pytest.raises(PowerCut):
        train(crashed, tmp_path / "resumed")
    resumed = STAGES[name](make_policy())
    train(resumed, tmp_path / "resumed")
    assert_same_run(straight, tmp_path / "straight", resumed, tmp_path / "resumed")


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("step", [1, 3, 4])
def test_ctrl_c_finishes_the_step_and_the_run_goes_on_after_it(
    make_policy: MakePolicy, tmp_path: Path, name: str, step: int
) -> None:
    straight = STAGES[name](make_policy())
    train(straight, tmp_path / "straight")
    stopped = STAGES[name](make_policy())
    interrupt_at(stopped, step, press_ctrl_c)
    with pytest.raises(Stopped, match=r"saved in .*last\.ckpt"):
        train(stopped, tmp_path / "resumed")
    assert len(logged(tmp_path / "resumed")["lr"]) == step
    resumed = STAGES[name](make_policy())
    train(resumed, tmp_path / "resumed")
    assert_same_run(straight, tmp_path / "straight", resumed, tmp_path / "resumed")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_scheduler_stops_a_run_as_ctrl_c_does(
    make_policy: MakePolicy, tmp_path: Path, number: signal.Signals
) -> None:
    """It sends its signals to every process of the job."""
    straight = grpo_module(make_policy())
    train(straight, tmp_path / "straight")
    stopped = grpo_module(make_policy())

    def stop() -> None:
        for worker in multiprocessing.active_children():
            assert worker.pid is not None
            os.kill(worker.pid, number)
        os.kill(os.getpid(), number)

    interrupt_at(stopped, 2, stop)
    before = signal.getsignal(number)
    with pytest.raises(Stopped, match=r"saved in .*last\.ckpt") as raised:
        train(stopped, tmp_path / "resumed", num_workers=1)
    assert raised.value.number == number
    assert signal.getsignal(number) is before
    assert len(logged(tmp_path / "resumed")["lr"]) == 2
    resumed = grpo_module(make_policy())
    train(resumed, tmp_path / "resumed")
    assert_same_run(straight, tmp_path / "straight", resumed, tmp_path / "resumed")


@pytest.mark.parametrize("name", STAGES)
def test_a_damaged_checkpoint_costs_a_step_only(
    make_policy: MakePolicy, tmp_path: Path, name: str
) -> None:
    straight = STAGES[name](make_policy())
    train(straight, tmp_path / "straight")
    crashed = STAGES[name](make_policy())
    interrupt_at(crashed, 4, cut_power)
    with pytest.raises(PowerCut):
        train(crashed, tmp_path / "resumed")
    last = tmp_path / "resumed" / "checkpoints" / "stage" / "last.ckpt"
    content = bytearray(last.read_bytes())
    content[-1] ^= 1
    last.write_bytes(content)
    resumed = STAGES[name](make_policy())
    train(resumed, tmp_path / "resumed")
    assert_same_run(straight, tmp_path / "straight", resumed, tmp_path / "resumed")


@pytest.mark.parametrize("name", STAGES)
def test_loader_processes_change_nothing(
    make_policy: MakePolicy, tmp_path: Path, name: str
) -> None:
    straight = STAGES[name](make_policy())
    train(straight, tmp_path / "straight")
    stopped = STAGES[name](make_policy())
    interrupt_at(stopped, 2, press_ctrl_c)
    with pytest.raises(Stopped, match=r"saved in .*last\.ckpt"):
        train(stopped, tmp_path / "resumed", num_workers=1)
    assert not multiprocessing.active_children()
    resumed = STAGES[name](make_policy())
    train(resumed, tmp_path / "resumed", num_workers=2)
    assert_same_run(straight, tmp_path / "straight", resumed, tmp_path / "resumed")


@pytest.mark.parametrize("name", STAGES)
def test_a_finished_stage_is_not_trained_again(
    make_policy: MakePolicy, tmp_path: Path, name: str
) -> None:
    first = STAGES[name](make_policy())
    train(first, tmp_path, checkpoint_seconds=600.0)
    again = STAGES[name](make_policy())
    train(again, tmp_path, checkpoint_seconds=600.0)
    assert_same_run(first, tmp_path, again, tmp_path)
    assert sorted(logged(tmp_path)["lr"]) == sorted(set(logged(tmp_path)["lr"]))
    assert len(logged(tmp_path)["lr"]) == 4


def test_the_second_ctrl_c_stops_at_once(
    make_policy: MakePolicy, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    module = sft_module(make_policy())

    def press_twice() -> None:
        press_ctrl_c()
        press_ctrl_c()
        raise AssertionError("went on")

    interrupt_at(module, 3, press_twice)
    with pytest.raises(Stopped, match=r"stopped at once; saved in .*last\.ckpt"):
        train(module, tmp_path, num_workers=1)
    assert "Traceback" not in capfd.readouterr().err  # of the loader's process
    assert len(logged(tmp_path)["lr"]) == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_rewards_that_fail_leave_the_last_checkpoint(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    module = grpo_module(make_policy())
    judge, seen = module.reward, list[RolloutGroup]()

    class Failing(RewardSum):
        def __call__(self, groups: Sequence[RolloutGroup]) -> list[list[RewardedAttempt]]:
            seen.extend(groups)
            if len(seen) > 10:  # the second of three groups of the fourth step
                raise PowerCut
            return super().__call__(groups)

    module.reward = Failing(terms=judge.terms, grammar=judge.grammar, frame=judge.frame)
    with pytest.raises(PowerCut):
        train(module, tmp_path)
    state = read_checkpoint(tmp_path / "checkpoints" / "stage" / "last.ckpt")
    assert state["rollouts_done"] == 3
    assert not list(tmp_path.rglob("*.partial"))
