"""256 real photographs with 1827 boxes: read, asked about, and every answer checked."""

from collections import Counter
from pathlib import Path

import pytest

from groundrl.data.box_questions import ask_all
from groundrl.data.build import detection_module
from groundrl.data.detection.yolo import YoloLayout

ROOT = Path(__file__).parents[2].parent / "shared/data/coco/object_detection"
pytestmark = pytest.mark.skipif(
    not ROOT.is_dir(), reason=f"the real photographs are not here ({ROOT})"
)


@pytest.mark.slow
def test_all_images_and_boxes_are_read(caplog: pytest.LogCaptureFixture) -> None:
    sets = {split: YoloLayout().read(ROOT, split) for split in ("train", "val")}
    labels = Counter(
        item.label for read in sets.values() for image in read.images for item in image.groundings
    )
    assert {split: len(read.images) for split, read in sets.items()} == {"train": 128, "val": 128}
    assert len(labels) == 76
    # The label folders hold 1839 rows; 12 of them belong to two images that are not there.
    assert labels.total() == 1827
    assert "left out (2)" in caplog.text
    assert "no image of this name" in caplog.text


@pytest.mark.slow
def test_every_question_is_answered_by_the_label_files_themselves() -> None:
    read = YoloLayout().read(ROOT, "train")
    boxes = {image.id: image.groundings for image in read.images}
    samples = ask_all(read, seed=0)
    assert len({sample.id for sample in samples}) == len(samples)
    for sample in samples:
        labels = Counter(item.label for item in boxes[sample.id.partition(":")[0]])
        if sample.kind == "count":
            (label,) = {item.label for item in sample.groundings}
            assert sample.answers == (str(labels[label]),)
        elif "in the picture" in sample.question and sample.kind == "multi":
            assert set(sample.answers) == set(sample.options) & set(labels)
        elif sample.kind in ("relation", "multi"):
            assert all(labels[option] == 1 for option in sample.options)
        assert len(sample.groundings) <= 6
        assert set(sample.groundings) <= set(boxes[sample.id.partition(":")[0]])


@pytest.mark.slow
def test_the_folder_makes_a_module_with_its_own_held_out_images() -> None:
    module = detection_module(
        layout=YoloLayout(), root=ROOT, train_split="train", heldout_split="val", heldout_size=50
    )
    assert len(module.train) > 400
    assert len(module.heldout["val"]) == 50
