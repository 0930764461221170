"""What a config becomes, and what is logged about its images before it starts."""

from dataclasses import replace
from pathlib import Path

import pytest
from families import build
from hydra import compose, initialize_config_dir
from world_questions import world_samples

from groundrl.config.check import check_config
from groundrl.data.datasets import SampleList
from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.training import build_training, report_shrunk
from groundrl.records import ImageFile, Sample
from groundrl.rollout.native import NativeEngine
from groundrl.stages.grpo import GRPOModule
from groundrl.stages.pipeline import Pipeline

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_rollouts_and_held_out_questions_share_one_engine(tmp_path: Path) -> None:
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose(
            "train", ["debug=tiny", "rollout.tokens_per_batch=64", f"output_dir={tmp_path}"]
        )
    check_config(cfg)
    pipeline = build_training(cfg, tmp_path)
    assert isinstance(pipeline, Pipeline)
    stage = pipeline.build(pipeline.plans["grpo"].module)
    assert isinstance(stage, GRPOModule)
    assert isinstance(stage.sampler.engine, NativeEngine)
    assert stage.sampler.engine.memory_limit.size == 64
    assert stage.sampler.engine is pipeline.held_out.sampler.engine


def sample(width: int, *context: int) -> Sample:
    def image(size: int) -> ImageFile:
        return ImageFile(path=Path(f"{size}.jpg"), width=size, height=100)

    (asked,) = world_samples(1)
    return replace(asked, image=image(width), context_images=tuple(map(image, context)))


@pytest.mark.parametrize(
    ("family", "samples", "reported"),
    [
        ("qwen2_5_vl", [sample(125)], ""),
        ("qwen2_5_vl", [sample(126), sample(90, 300), sample(126)], "2 of 3 images have more"),
        ("gemma3", [sample(4000)], ""),
    ],
)
def test_images_beyond_the_budget_of_pixels_are_reported_once(
    family: str, samples: list[Sample], reported: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    _, processor = build(family)  # at most 12544 pixels, where there is a limit
    report_shrunk([SampleList(tuple(samples))], processor)
    assert len(caplog.messages) == bool(reported)
    for message in caplog.messages:
        assert message.startswith(reported)
        assert "model.max_pixels=12544 pixels (up to 30000)" in message
