"""YOLO, COCO and Pascal VOC: boxes come out right, and everything wrong is told at once."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from groundrl.data.detection.coco import CocoLayout
from groundrl.data.detection.voc import VocLayout
from groundrl.data.detection.yolo import YoloLayout
from groundrl.errors import UserError

MakeImage = Callable[..., Path]


def test_yolo_rows_become_pixel_corners(yolo_root: Path) -> None:
    read = YoloLayout().read(yolo_root, "train")
    assert [(image.id, image.image.width, image.image.height) for image in read.images] == [
        ("a", 100, 80),
        ("empty", 100, 80),
    ]
    cat, dog = read.images[0].groundings
    assert (cat.label, cat.box.corners) == ("cat", (40, 20, 60, 60))
    assert (dog.label, dog.box.corners) == ("dog", (0, 30, 20, 50))
    assert read.images[1].groundings == ()
    assert read.names == ("cat", "dog")


def test_yolo_names_may_be_a_mapping_and_the_config_may_have_another_name(yolo_root: Path) -> None:
    (yolo_root / "data.yaml").unlink()
    (yolo_root / "dataset.yaml").write_text("train: ../images/train\nnames: {0: cat, 1: dog}\n")
    assert len(YoloLayout().read(yolo_root, "train").images) == 2


def test_yolo_without_a_config_uses_classes_txt_and_the_plain_layout(yolo_root: Path) -> None:
    (yolo_root / "data.yaml").unlink()
    (yolo_root / "classes.txt").write_text("cat\ndog\n")
    assert len(YoloLayout().read(yolo_root, "val").images) == 1
    assert [image.id for image in YoloLayout().read(yolo_root, None).images] == [
        "train/a",
        "train/empty",
        "val/b",
    ]


def test_yolo_splits_may_be_listed_in_a_text_file(yolo_root: Path) -> None:
    (yolo_root / "train.txt").write_text("./images/train/a.jpg\n\n./images/val/b.jpg\n")
    (yolo_root / "data.yaml").write_text("train: train.txt\nnames: [cat, dog]\n")
    read = YoloLayout().read(yolo_root, "train")
    assert [(image.id, len(image.groundings)) for image in read.images] == [
        ("images/train/a", 2),
        ("images/val/b", 1),
    ]


@pytest.mark.parametrize("as_text", [True, False])
def test_yolo_image_folders_may_be_links(yolo_root: Path, as_text: bool) -> None:
    (yolo_root / "images").rename(yolo_root / "elsewhere")
    if as_text:
        (yolo_root / "images").write_text("elsewhere")
    else:
        (yolo_root / "images").symlink_to("elsewhere")
    assert len(YoloLayout().read(yolo_root, "train").images[0].groundings) == 2


@pytest.mark.slow
def test_yolo_problems_are_all_named_with_file_and_line(
    yolo_root: Path, image_file: MakeImage
) -> None:
    rows = [
        "0 0.5 0.5 0.2 0.5",
        "7 0.5 0.5 0.2 0.5",
        "0 0.5 0.5 0.2",
        "0 0.5 0.5 -0.2 0.5",
        "0 nan 0.5 0.2 0.5",
        "0 0.95 0.5 0.2 0.5",
        "0 a 0.5 0.2 0.5",
    ]
    label = yolo_root / "labels/train/a.txt"
    label.write_text("\n".join(rows))
    cut = image_file(yolo_root / "images/train/cut.jpg")
    cut.write_bytes(cut.read_bytes()[:-200])
    (yolo_root / "images/train/text.jpg").write_text("not an image")
    with pytest.raises(UserError) as error:
        YoloLayout().read(yolo_root, "train")
    message = str(error.value)
    assert "8 problems" in message
    for line, part in {
        2: "class 7 is not in 'names'",
        3: "got 4 fields",
        4: "x1 <= x2",
        5: "finite",
        6: "5.0 pixels outside the image of 100 x 80",
        7: "expected numbers",
    }.items():
        told = next(row for row in message.splitlines() if f"a.txt:{line}: " in row)
        assert part in told
    assert "cut.jpg: the image cannot be decoded" in message
    assert "text.jpg: the image cannot be decoded" in message


def test_a_box_less_than_a_pixel_outside_is_clipped(yolo_root: Path) -> None:
    (yolo_root / "labels/train/a.txt").write_text("0 0.5 0.5 1.01 1.01\n")
    (item,) = YoloLayout().read(yolo_root, "train").images[0].groundings
    assert item.box.corners == (0, 0, 100, 80)


def test_more_than_twenty_problems_are_counted(yolo_root: Path) -> None:
    (yolo_root / "labels/train/a.txt").write_text("9 0.5 0.5 0.1 0.1\n" * 25)
    with pytest.raises(UserError, match=r"25 problems(.|\n)*and 5 more"):
        YoloLayout().read(yolo_root, "train")


def test_a_label_without_an_image_is_warned_about(
    yolo_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (yolo_root / "labels/train/gone.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    with caplog.at_level(logging.WARNING):
        assert len(YoloLayout().read(yolo_root, "train").images) == 2
    assert "gone.txt: no image of this name" in caplog.text


def test_repeated_and_empty_boxes_are_left_out_and_warned_about(
    yolo_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = "0 0.5 0.5 0.2 0.5\n0 0.5 0.5 0.2 0.5\n1 0.5 0.5 0 0.5\n"
    (yolo_root / "labels/train/a.txt").write_text(rows)
    image = YoloLayout().read(yolo_root, "train").images[0]
    assert [item.label for item in image.groundings] == ["cat"]
    assert image.uncounted == {"dog"}
    assert "a.txt:2: repeats" in caplog.text
    assert "a.txt:3: box of 'dog' without area" in caplog.text


def test_two_images_of_one_label_file_are_an_error(yolo_root: Path, image_file: MakeImage) -> None:
    image_file(yolo_root / "images/train/a.png")
    with pytest.raises(UserError, match="shares its label file"):
        YoloLayout().read(yolo_root, "train")


def test_boxes_refer_to_a_turned_image_as_it_is_shown(yolo_root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 80)).save(yolo_root / "images/train/a.jpg", exif=exif)
    image = YoloLayout().read(yolo_root, "train").images[0]
    assert (image.image.width, image.image.height) == image.image.load().size == (80, 100)
    assert image.groundings[0].box.corners == pytest.approx((32, 25, 48, 75))


def test_a_data_set_without_boxes_or_split_or_folder_is_an_error(yolo_root: Path) -> None:
    with pytest.raises(UserError, match="Splits in its config: train, val"):
        YoloLayout().read(yolo_root, "test")
    with pytest.raises(UserError, match="no such folder"):
        YoloLayout().read(yolo_root / "nowhere", "train")
    (yolo_root / "labels/val/b.txt").write_text("")
    with pytest.raises(UserError, match="1 images and not one box"):
        YoloLayout().read(yolo_root, "val")


def coco_content() -> dict[str, list[dict[str, object]]]:
    return {
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80},
            {"id": 2, "file_name": "b.jpg"},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 18, "bbox": [10, 20, 30, 40], "iscrowd": 0},
            {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 100, 80], "iscrowd": 1},
        ],
    }


@pytest.fixture
def coco_root(tmp_path: Path, image_file: MakeImage) -> Path:
    for name in ("a", "b"):
        image_file(tmp_path / f"train2017/{name}.jpg")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/instances_train2017.json").write_text(json.dumps(coco_content()))
    return tmp_path


def test_coco_boxes_are_corner_and_size_and_crowds_are_noted(coco_root: Path) -> None:
    read = CocoLayout().read(coco_root, "train2017")
    first, second = read.images
    assert [(item.label, item.box.corners) for item in first.groundings] == [
        ("dog", (10, 20, 40, 60))
    ]
    assert first.uncounted == {"person"}
    assert (second.id, second.groundings, second.uncounted) == ("b", (), frozenset())
    assert read.names == ("dog", "person")


def test_boxes_drawn_on_an_image_before_it_was_turned_are_refused(coco_root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 80)).save(coco_root / "train2017/a.jpg", exif=exif)
    with pytest.raises(UserError, match="has 80 x 100 upright: save it that way"):
        CocoLayout().read(coco_root, "train2017")


def test_coco_problems_are_all_named(coco_root: Path) -> None:
    content = coco_content()
    content["images"][0]["width"] = 80
    content["images"].append({"id": 3, "file_name": "gone.jpg"})
    content["images"].append({"id": None, "file_name": "a.jpg"})
    box = {"image_id": 2, "category_id": 18}
    content["annotations"] += [
        box | {"bbox": [90, 0, 20, 20]},
        box | {"bbox": [0, 0, float("nan"), 20]},
        box | {"bbox": [0, 0, 20]},
        box | {"bbox": [0, 0, 20, 20], "category_id": 99},
        box | {"bbox": [0, 0, 20, 20], "image_id": 77},
        box | {"bbox": [10, 10, -5, 20]},
    ]
    path = coco_root / "annotations/instances_train2017.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError) as error:
        CocoLayout().read(path, None, images=coco_root / "train2017")
    message = str(error.value)
    for part in (
        "9 problems",
        "images[0]: says 80 x 80 pixels, a.jpg has 100 x 80",
        "gone.jpg: no such image",
        "images[3]: 'id' must be a whole number or a text, got None",
        "annotations[2]: box [90, 0, 110, 20] lies 10.0 pixels outside",
        "annotations[3]: bbox must be [x, y, width, height], got [0, 0, nan, 20]",
        "annotations[4]: bbox must be [x, y, width, height]",
        "annotations[5]: category_id 99 is not defined",
        "annotations[6]: image_id 77 is not defined",
        "annotations[7]: box needs x1 <= x2",
    ):
        assert part in message


def test_coco_files_that_are_missing_or_no_json_are_errors(coco_root: Path) -> None:
    with pytest.raises(UserError, match=r"instances_val2017\.json"):
        CocoLayout().read(coco_root, "val2017")
    (coco_root / "annotations/instances_train2017.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        CocoLayout().read(coco_root, "train2017")


VOC = """<annotation>
  <filename>a.jpg</filename>
  <size><width>100</width><height>80</height><depth>3</depth></size>
  <object>
    <name>dog</name>
    <bndbox><xmin>1</xmin><ymin>11</ymin><xmax>100</xmax><ymax>80</ymax></bndbox>
  </object>
</annotation>
"""


@pytest.fixture
def voc_root(tmp_path: Path, image_file: MakeImage) -> Path:
    image_file(tmp_path / "JPEGImages/a.jpg")
    for folder in ("Annotations", "ImageSets/Main"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "Annotations/a.xml").write_text(VOC)
    (tmp_path / "ImageSets/Main/train.txt").write_text("a\n")
    return tmp_path


@pytest.mark.parametrize("split", ["train", None])
def test_voc_corners_are_one_based_and_inclusive(voc_root: Path, split: str | None) -> None:
    (image,) = VocLayout().read(voc_root, split).images
    assert [(item.label, item.box.corners) for item in image.groundings] == [
        ("dog", (0, 10, 100, 80))
    ]


def test_voc_problems_are_named_with_file_and_line(voc_root: Path, image_file: MakeImage) -> None:
    for name, sign in (("a", "<width>90"), ("e", "<width>100")):
        text = VOC.replace("<width>100", sign).replace("<xmax>100", "<xmax>130")
        image_file(voc_root / f"JPEGImages/{name}.jpg")
        (voc_root / f"Annotations/{name}.xml").write_text(text.replace("a.jpg", f"{name}.jpg"))
    (voc_root / "Annotations/b.xml").write_text("<annotation>\n<object>\n</annotation>")
    (voc_root / "Annotations/c.xml").write_text(VOC.replace("a.jpg", "c.jpg"))
    (voc_root / "ImageSets/Main/train.txt").write_text("a\nb\nc\nd\ne\n")
    with pytest.raises(UserError) as error:
        VocLayout().read(voc_root, "train")
    message = str(error.value)
    for part in (
        "5 problems",
        "a.xml:3: says 90 x 80 pixels",
        "e.xml:4: box [0, 10, 130, 80] lies 30.0 pixels outside",
        "b.xml:3: not valid XML",
        "c.jpg: no such image",
        "d.xml: no such annotation file",
    ):
        assert part in message


def test_voc_names_the_splits_there_are(voc_root: Path) -> None:
    with pytest.raises(UserError, match="splits found: train"):
        VocLayout().read(voc_root, "val")
