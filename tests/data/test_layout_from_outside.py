"""One class adds a data set layout, for training data and for ``detector=given``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from mylab.layouts import CsvLayout
from omegaconf import OmegaConf

from groundrl.config.check import check_config
from groundrl.data.detection.base import Layout
from groundrl.synthesis.images import FolderImages

CONF = Path(__file__).parents[2] / "conf"
TARGET = {"_target_": "mylab.layouts.CsvLayout"}


@pytest.fixture
def csv_root(tmp_path: Path, image_file: Callable[..., Path]) -> Path:
    for split in ("train", "val"):
        image_file(tmp_path / f"{split}.jpg")
        (tmp_path / f"boxes_{split}.csv").write_text(
            f"{split}.jpg,cat,10,20,40,60\n{split}.jpg,dog,50,20,90,60\n"
        )
    return tmp_path


def test_training_data_is_read_by_a_layout_that_the_config_names(csv_root: Path) -> None:
    assert isinstance(CsvLayout(), Layout)
    option = OmegaConf.load(CONF / "data/yolo.yaml")
    config = OmegaConf.merge(option, {"root": str(csv_root), "layout": TARGET})
    config = OmegaConf.create({"rationale": "look_first", "data": config})
    check_config(config)
    module = instantiate(config.data, _convert_="all")
    assert {s.provenance.split for s in module.train.samples} == {"train"}
    labels = {item.label for s in module.heldout["val"].samples for item in s.groundings}
    assert labels == {"cat", "dog"}


def test_given_labels_are_recognised_by_a_layout_that_the_config_adds(csv_root: Path) -> None:
    option = OmegaConf.merge(
        OmegaConf.load(CONF / "detector/given.yaml"),
        {"labels": str(csv_root), "images": str(csv_root), "split": "train"},
    )
    with pytest.raises(
        InstantiationException, match=r"is none of these\. Type labels=<path> of a VOC folder"
    ):
        instantiate(option, _convert_="all")
    option = OmegaConf.merge(option, {"layouts": {"csv": TARGET}})
    check_config(OmegaConf.create({"detector": option}))
    detector = instantiate(option, _convert_="all")
    image = next(image for image in FolderImages(csv_root) if image.id == "train.jpg")
    assert [[region.label for region in found] for found in detector([image])] == [["cat", "dog"]]
    assert detector.vocabulary == ("cat", "dog")
