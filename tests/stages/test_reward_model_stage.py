"""A reward model learns what is wrong with captions, resumes to the last bit, and is reported."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from labelled_world import QUESTION, labelled_captions
from stage_runs import logged
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from groundrl.data.module import GroundingDataModule
from groundrl.errors import UserError
from groundrl.feedback.captions import (
    CaptionData,
    CaptionList,
    Level,
    group_captions,
    rate_captions,
    split_by_image,
)
from groundrl.feedback.labels import SentenceError
from groundrl.launch.logs import silence_libraries
from groundrl.launch.training import build_part
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision_store import VisionFeatures
from groundrl.stages.fit import StagePlan, fit
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.reward_model import RewardModelModule, check_two_classes
from groundrl.stages.reward_model_run import EncodeGroup, RewardModelTraining

MakePolicy = Callable[..., Policy]
COLORS = rate_captions(labelled_captions(12, [SentenceError.ATTRIBUTE], per_scene=3))
CPU = partial(L.Trainer, accelerator="cpu", devices=1)


class PowerCut(Exception):
    """Nobody catches it."""


def module(
    policy: Policy,
    captions: CaptionList,
    steps: int = 4,
    lr: float = 3e-3,
    level: Level = "sentence",
    tokens_per_forward: int = 8192,
) -> RewardModelModule:
    optimization = Optimization(lr=lr, steps=steps, warmup=2)
    return RewardModelModule(policy, captions, optimization, level, tokens_per_forward)


def train(stage: RewardModelModule, captions: CaptionList, run_dir: Path, steps: int = 4) -> None:
    silence_libraries()
    data = GroundingDataModule(
        train=captions,
        prompts_per_step=2,
        encode=EncodeGroup(stage.reward_model.encode),
    )
    plan = StagePlan(module=type(stage), steps=steps, prompts_per_step=2, checkpoint_seconds=0.0)
    fit("stage", stage, data, plan, CPU, run_dir)


def weights(stage: RewardModelModule) -> dict[str, torch.Tensor]:
    return {
        name: parameter.detach().clone()
        for name, parameter in stage.named_parameters()
        if parameter.requires_grad
    }


@pytest.mark.slow
@pytest.mark.parametrize("level", ["sentence", "caption"])
def test_wrong_colours_are_learned_by_heart(
    make_policy: MakePolicy, tmp_path: Path, level: Level
) -> None:
    captions = group_captions(COLORS[:6])
    stage = module(make_policy(), captions, steps=40, lr=1e-2, level=level)
    train(stage, captions, tmp_path, steps=40)
    scores = stage.reward_model.score_many([one.to_score for one in captions.captions])
    wrong = np.array([score.wrong for one in scores for score in one])
    truth = captions.targets(level)[:, 0] == 1
    assert wrong[truth].min() > wrong[~truth].max()
    assert logged(tmp_path)["reward_model/acc"][40] == 1.0


@pytest.mark.slow
def test_small_forward_passes_change_nothing(make_policy: MakePolicy, tmp_path: Path) -> None:
    captions = group_captions(COLORS)
    found = []
    for budget in (1, 8192):
        stage = module(make_policy(), captions, tokens_per_forward=budget)
        train(stage, captions, tmp_path / str(budget))
        found.append((logged(tmp_path / str(budget)), weights(stage)))
    for step, loss in found[0][0]["reward_model/loss"].items():
        assert loss == pytest.approx(found[1][0]["reward_model/loss"][step], rel=1e-4)
    for name, value in found[0][1].items():
        torch.testing.assert_close(value, found[1][1][name], atol=1e-4, rtol=1e-3)


@pytest.mark.slow
def test_gradients_of_the_head_are_clipped_too(make_policy: MakePolicy, tmp_path: Path) -> None:
    captions = group_captions(COLORS)
    train(module(make_policy(), captions), captions, tmp_path, steps=1)
    (norm,) = logged(tmp_path)["reward_model/grad_norm"].values()
    assert norm > 0  # a head of zeros gives the adapter none


@pytest.mark.slow
def test_a_crash_costs_nothing(make_policy: MakePolicy, tmp_path: Path) -> None:
    captions = group_captions(COLORS)
    straight = module(make_policy(), captions)
    train(straight, captions, tmp_path / "straight")
    crashed = module(make_policy(), captions)
    look, calls = crashed.policy.features, iter(range(1, 100))

    def features(prompts: list[Prompt]) -> list[VisionFeatures]:
        if next(calls) == 3:
            raise PowerCut
        return look(prompts)

    crashed.policy.features = features
    with pytest.raises(PowerCut):
        train(crashed, captions, tmp_path / "resumed")
    resumed = module(make_policy(), captions)
    train(resumed, captions, tmp_path / "resumed")
    expected = weights(straight)
    assert any(name.startswith("reward_model.head") for name in expected)
    for name, value in weights(resumed).items():
        assert torch.equal(value, expected[name]), name
    assert logged(tmp_path / "straight") == logged(tmp_path / "resumed")


@pytest.mark.parametrize(("share", "word"), [(0.0, "wrong"), (1.0, "right")])
def test_captions_of_one_class_are_refused(share: float, word: str) -> None:
    captions = group_captions(rate_captions(labelled_captions(4, share=share)))
    with pytest.raises(UserError, match=f"no sentence of the 4 training captions is {word}"):
        check_two_classes(captions, "sentence")


@pytest.mark.slow
def test_a_run_saves_measures_and_reports(
    make_policy: MakePolicy, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    silence_libraries()
    train_part, heldout = split_by_image(rate_captions(labelled_captions(24)), 12)
    training = RewardModelTraining(
        data=CaptionData(train=train_part, heldout=heldout),
        plan=StagePlan(module=partial(module, steps=2), steps=2, prompts_per_step=3),
        build=partial(build_part, supplied={"policy": make_policy(), "captions": train_part}),
        make_trainer=CPU,
        run_dir=tmp_path,
        seed=0,
        hparams={"seed": 0},
    )
    text = training.run()
    assert text.splitlines()[-1] == str(tmp_path)
    figures = json.loads((tmp_path / "metrics.json").read_text())["reward_model"]
    assert figures["heldout/captions"] == 12
    assert figures["heldout/auc_low"] <= figures["heldout/auc"] <= figures["heldout/auc_high"]
    page = (tmp_path / "report.html").read_text()
    assert "Probability that a wrong one scores above a right one" in page
    assert "probability of an error, and share that is wrong" in page
    assert QUESTION in page
    assert page.count('<span class="sentence ') > 12
    assert re.search(r'title="\d+ % wrong; labelled (attribute|hallucination)', page)
    assert (tmp_path / "reward_model" / "head.safetensors").is_file()
    assert "reward_model 2/2  loss " in capfd.readouterr().err
    events = EventAccumulator(str(tmp_path / "tensorboard" / "reward_model"))
    events.Reload()
    assert len(events.Scalars("reward_model/loss")) == 2
    assert training.run() == text  # nothing is trained again
