"""What a config becomes."""

from pathlib import Path

from hydra import compose, initialize_config_dir

from groundrl.config import check_config, register_resolvers
from groundrl.config.build import build_training
from groundrl.rollout.native import NativeEngine
from groundrl.stages.grpo import GRPOModule
from groundrl.stages.pipeline import Pipeline

ROOT = Path(__file__).parent.parent.parent


def test_rollouts_and_held_out_questions_share_one_engine(tmp_path: Path) -> None:
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", ["debug=tiny", "rollout.max_rows=64", f"output_dir={tmp_path}"])
    check_config(cfg)
    pipeline = build_training(cfg, tmp_path)
    assert isinstance(pipeline, Pipeline)
    stage = pipeline.build(pipeline.plans["grpo"])
    assert isinstance(stage, GRPOModule)
    assert isinstance(stage.sampler.engine, NativeEngine)
    assert stage.sampler.engine.max_rows == 64
    assert stage.sampler.engine is pipeline.held_out.sampler.engine
