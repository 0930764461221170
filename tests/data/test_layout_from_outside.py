"""One class adds a data set layout, for training data and for ``detector=given``."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from groundrl.config.check import check_config
from groundrl.data.detection import (
    AnnotatedImage,
    Boxes,
    DetectionSet,
    Layout,
    check_images,
    check_set,
    pixel_box,
)
from groundrl.data.problems import Problems
from groundrl.records import Grounding, ImageFile
from groundrl.synthesis.images import FolderImages

CONF = Path(__file__).parents[2] / "conf"
TARGET = {"_target_": f"{__name__}.CsvLayout"}


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """boxes_<split>.csv with rows image, label, x1, y1, x2, y2 in pixels."""

    form: ClassVar[str] = "a CSV folder (boxes_<split>.csv)"

    def recognises(self, path: Path) -> bool:
        return any(path.glob("boxes_*.csv"))

    def read(
        self,
        path: str | Path,
        split: str | None,
        *,
        images: str | Path | None = None,
        skip_unreadable: bool = False,
    ) -> DetectionSet:
        table = Path(path) / f"boxes_{split}.csv"
        problems = Problems(f"CSV data set {table}", skip_unreadable)
        with table.open() as lines:
            rows = [
                (table.parent / name, label, *map(float, box))
                for name, label, *box in csv.reader(lines)
            ]
        found = {}
        for file, image in check_images(row[0] for row in rows).items():
            if isinstance(image, ImageFile):
                found[file] = (image, Boxes(problems))
            else:
                problems.unreadable(file, image)
        for number, (file, label, *corners) in enumerate(rows, start=1):
            image, boxes = found[file]
            item = Grounding(label=label, box=pixel_box(tuple(corners), image))
            boxes.add(item, f"{table}:{number}")
        return check_set(
            problems,
            name=table.parent.name,
            split=str(split),
            names=sorted({row[1] for row in rows}),
            images=[
                AnnotatedImage(id=file.stem, image=image, groundings=boxes.groundings)
                for file, (image, boxes) in found.items()
            ],
        )


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
    check_config(OmegaConf.create({"data": config}))
    module = instantiate(config, _convert_="all")
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
