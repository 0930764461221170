"""A stage of another package: trained, shown, saved, resumed and reported like ours."""

import json
import shutil
from functools import partial
from pathlib import Path

import lightning as L
import pytest
import torch
from mylab.stages import RepeatAfterMe
from PIL import Image
from stage_runs import MakePolicy, logged, train, weights
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from world_questions import world_samples

from groundrl.boxes import Frame
from groundrl.data.datasets import SampleList
from groundrl.data.module import GroundingDataModule
from groundrl.evaluation.heldout import HeldOut
from groundrl.files import write_json
from groundrl.grammar import get_grammar
from groundrl.launch.logs import silence_libraries
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example
from groundrl.rewards.base import RewardSum
from groundrl.rewards.terms.acc import Acc
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler
from groundrl.running.run_time import TIMES
from groundrl.stages.fit import StagePlan
from groundrl.stages.pipeline import Pipeline


class Painter(RepeatAfterMe):
    """Draws something beside it."""

    def rollout_image(self) -> Image.Image:
        return Image.new("RGB", (8, 8), "red")


class PowerCut(Exception):
    """The run is lost."""


class Interrupted(RepeatAfterMe):
    """Fails in its third step."""

    def training_step(self, examples: list[Example], batch_index: int) -> None:
        if batch_index == 2:
            raise PowerCut
        super().training_step(examples, batch_index)


class Careless(RepeatAfterMe):
    """Logs a metric that it does not declare."""

    def training_step(self, examples: list[Example], batch_index: int) -> None:
        self.log_step({"repeat/a/b": 1.0}, self.global_step)


def pipeline(policy: Policy, run_dir: Path) -> Pipeline:
    """Two steps of RepeatAfterMe between two measurements of four held-out questions."""
    return Pipeline(
        policy=policy,
        data=GroundingDataModule(train=SampleList(tuple(world_samples(8)))),
        plans={"repeat": StagePlan(module=RepeatAfterMe, steps=2, prompts_per_step=3)},
        build=lambda make: make(policy),
        held_out=HeldOut(
            sets={"world": SampleList(tuple(world_samples(4)))},
            sampler=Sampler(NativeEngine(), Sampling(max_tokens=4, temperature=0.0), group_size=1),
            reward=RewardSum(
                terms={"acc": Acc()}, grammar=get_grammar("obj_bbox"), frame=Frame.PERMILLE
            ),
        ),
        make_trainer=partial(L.Trainer, accelerator="cpu", devices=1),
        run_dir=run_dir,
        hparams={"seed": 0},
    )


@pytest.mark.slow
def test_its_time_is_that_of_all_pieces_of_the_run(make_policy: MakePolicy, tmp_path: Path) -> None:
    silence_libraries()
    pipeline(make_policy(), tmp_path).run()
    metrics = tmp_path / "metrics.json"
    once = json.loads(metrics.read_text())["time"]
    assert set(once) == {"heldout_start", "train_repeat", "heldout_repeat"}
    shutil.rmtree(tmp_path)
    (tmp_path / "checkpoints").mkdir(parents=True)
    # As a piece leaves it that was killed in its training.
    write_json(tmp_path / "checkpoints" / TIMES, {"heldout_start": 50.0, "train_repeat": 100.0})
    pipeline(make_policy(), tmp_path).run()
    summed = json.loads(metrics.read_text())["time"]
    assert 100 < summed["train_repeat"] < 100 + 10 * once["train_repeat"]
    assert summed["heldout_start"] > 50
    assert summed["heldout_repeat"] < 50


@pytest.mark.slow
def test_the_pipeline_trains_measures_and_reports_it(
    make_policy: MakePolicy, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    silence_libraries()
    policy = make_policy()
    before = weights(policy)
    text = pipeline(policy, tmp_path).run()
    assert text.splitlines()[-1] == str(tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text())["repeat"]["world/n"] == 4
    assert any(not torch.equal(before[name], now) for name, now in weights(policy).items())
    assert (tmp_path / "checkpoints/repeat/last.ckpt").is_file()
    assert (tmp_path / "checkpoints/repeat/adapter").is_dir()
    assert "repeat/surprise" in (tmp_path / "report.html").read_text()
    assert "repeat 2/2  surprise " in capfd.readouterr().err


@pytest.mark.slow
def test_a_finished_stage_is_loaded_and_not_trained_again(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    silence_libraries()
    first = make_policy()
    pipeline(first, tmp_path).run()
    again = make_policy()
    pipeline(again, tmp_path).run()
    expected = weights(first)
    assert all(torch.equal(expected[name], now) for name, now in weights(again).items())


@pytest.mark.slow
@pytest.mark.parametrize("point", ["start", "repeat"])
def test_torn_answers_are_asked_again_with_the_weights_of_then(
    make_policy: MakePolicy, tmp_path: Path, point: str, caplog: pytest.LogCaptureFixture
) -> None:
    silence_libraries()
    pipeline(make_policy(), tmp_path).run()
    answers = tmp_path / f"heldout_{point}.jsonl"
    before = answers.read_bytes()
    for torn in (before[:-9], before[: before.index(b"\n") + 1]):
        answers.write_bytes(torn)
        caplog.clear()
        pipeline(make_policy(), tmp_path).run()
        assert answers.read_bytes() == before
        (told,) = (message for message in caplog.messages if answers.name in message)
        assert told.endswith("the questions are asked again")


@pytest.mark.slow
def test_a_checkpoint_is_continued(make_policy: MakePolicy, tmp_path: Path) -> None:
    straight, resumed = RepeatAfterMe(make_policy()), RepeatAfterMe(make_policy())
    train(straight, tmp_path / "straight")
    with pytest.raises(PowerCut):
        train(Interrupted(make_policy()), tmp_path / "resumed")
    train(resumed, tmp_path / "resumed")
    assert logged(tmp_path / "straight") == logged(tmp_path / "resumed")
    expected = weights(straight.policy)
    assert all(torch.equal(expected[name], now) for name, now in weights(resumed.policy).items())


def test_a_stage_without_rollouts_draws_none(make_policy: MakePolicy, tmp_path: Path) -> None:
    train(RepeatAfterMe(make_policy()), tmp_path, steps=1)
    assert set(logged(tmp_path)) == {"repeat/surprise", "lr"}


def test_a_stage_may_draw_an_image_of_its_own(make_policy: MakePolicy, tmp_path: Path) -> None:
    train(Painter(make_policy()), tmp_path, steps=2)
    events = EventAccumulator(str(tmp_path / "tensorboard" / "stage"))
    events.Reload()
    assert [image.step for image in events.Images("rollouts")] == [1]  # every ten steps


def test_an_undeclared_metric_names_the_class(make_policy: MakePolicy, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=r"repeat/a/b.*add them to Careless\.metrics"):
        train(Careless(make_policy()), tmp_path, steps=1)
