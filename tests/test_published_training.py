"""train.py on small copies of the published data sets, from end to end."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from published_files import WRITERS

from groundrl.config.check import check_config
from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.training import build_training

ROOT = Path(__file__).parent.parent
NO_ANSWERS, NO_BOXES = "reward=iou", "reward=acc+format"
REWARDS = {
    **{"vsr": NO_BOXES, "aokvqa": NO_BOXES},
    **{"refcoco": NO_ANSWERS, "refcoco_plus": NO_ANSWERS, "refcocog": NO_ANSWERS},
}


@pytest.fixture
def train() -> Iterator[Any]:
    register_resolvers(ROOT)

    def start(option: str, folder: Path, *lines: str) -> Path:
        WRITERS[option](folder / "data")
        tiny = ["debug=tiny", "cache_dir=null", "data.num_workers=0", "output_dir=unused"]
        place = [f"data={option}", f"data.root={folder}/data"]
        cfg = compose("train", [*tiny, *place, *lines])
        check_config(cfg)
        (folder / "run").mkdir()
        build_training(cfg, folder / "run").run()
        return folder / "run"

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield start


@pytest.mark.slow
@pytest.mark.parametrize("option", WRITERS)
def test_it_can_be_trained_on(option: str, train: Any, tmp_path: Path) -> None:
    finished = train(option, tmp_path, REWARDS.get(option, "reward=iou+acc"))
    metrics = json.loads((finished / "metrics.json").read_text())
    assert {"start", "sft", "grpo"} <= metrics.keys()
    assert metrics["grpo"][f"{HELDOUT_SETS.get(option, 'val')}/n"] == 3


HELDOUT_SETS = {"vsr": "dev", "spatialsense": "valid", "rel3d": "valid", "drivingvqa": "test"}


@pytest.mark.slow
def test_a_model_with_an_instruction_is_asked_for_the_form_of_the_data(
    train: Any, tmp_path: Path
) -> None:
    told = "+model.template.instruction='Give the letter.'"
    finished = train("vsr", tmp_path, "reward=acc+format", "pipeline=[sft]", told)
    lines = (finished / "heldout_start.jsonl").read_text().splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines]
    assert all("Then answer true or false inside <answer> and </answer>." in p for p in prompts)
