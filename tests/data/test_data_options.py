"""Every option of conf/data builds the datamodule it promises."""

from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from groundrl.data.datasets import detections
from groundrl.data.detection.base import Layout
from groundrl.data.detection.yolo import YoloLayout
from groundrl.data.module import GroundingDataModule
from groundrl.data.schema import write_jsonl, write_parquet

CONF = Path(__file__).parents[2] / "conf/data"


def load(option: str, **values: Any) -> DictConfig:
    """The option as a part of a training config."""
    data = OmegaConf.merge(OmegaConf.load(CONF / f"{option}.yaml"), values)
    return OmegaConf.create({"rationale": "look_first", "data": data}).data


def build(option: str, **values: Any) -> GroundingDataModule:
    return instantiate(load(option, **values), _convert_="all")


def test_the_world_holds_out_both_subjects() -> None:
    module = build("world")
    assert {name: len(source) for name, source in module.heldout.items()} == {
        "tabletop": 500,
        "street": 500,
    }
    for name, source in module.heldout.items():
        assert source[0].provenance.split == f"{name}-plain"
    assert module.train[0].provenance.split == "tabletop-plain"
    assert module.train[0] != module.heldout["tabletop"][0]


@pytest.mark.slow
def test_yolo_trains_on_train_and_holds_out_val(yolo_root: Path) -> None:
    module = build("yolo", root=str(yolo_root), prompts_per_step=3)
    assert module.train[0].provenance.split == "train"
    assert module.heldout["val"][0].provenance.split == "val"
    assert len(next(iter(module.train_dataloader()))) == 3


@pytest.mark.slow
@pytest.mark.parametrize(("option", "write"), [("jsonl", write_jsonl), ("parquet", write_parquet)])
def test_sample_files_are_read(option: str, write: Any, yolo_root: Path) -> None:
    for split in ("train", "val"):
        samples = detections(YoloLayout(), yolo_root, split).samples
        write(samples, yolo_root / f"{split}.{option}")
    module = build(
        option,
        path=str(yolo_root / f"train.{option}"),
        heldout_path=str(yolo_root / f"val.{option}"),
    )
    assert len(module.heldout["heldout"]) > 0


LAYOUTS = ("coco", "cvat", "label_studio", "labelme", "open_images", "voc", "yolo")


@pytest.mark.parametrize("option", LAYOUTS)
def test_layouts_of_detection_data_only_lack_a_root(option: str) -> None:
    config = load(option)
    assert OmegaConf.missing_keys(config) == {"data.root"}
    layout = instantiate(config.layout)
    assert isinstance(layout, Layout)
    assert option.replace("_", "") in layout.form.lower().replace(" ", "")


@pytest.mark.parametrize("option", LAYOUTS)
def test_layouts_of_detection_data_have_the_same_options(option: str) -> None:
    assert load(option).keys() == load("yolo").keys()


@pytest.mark.parametrize("option", [path.stem for path in CONF.glob("*.yaml")])
def test_another_process_reads_images_that_lie_in_files(option: str) -> None:
    drawn = (
        "world",
        "world_captions",
        "labelled_world_captions",
        "synthetic_to_real",
        "world_statements",
    )
    assert OmegaConf.load(CONF / f"{option}.yaml").num_workers == (option not in drawn)
