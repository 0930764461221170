"""YOLO data sets as tools write them: other tasks' rows, odd files, paths of other machines."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from groundrl.data.detection.yolo import YoloLayout
from groundrl.errors import UserError

MakeImage = Callable[..., Path]
CONFIG = "train: images/train\nval: images/val\nnames: [cat, dog]\n"
KEYPOINTS = " 0.5 0.5 2 0.4 0.3 1"


def read_row(root: Path, row: str) -> tuple[float, ...]:
    """The box of one row, in pixels of the 100 x 80 image."""
    (root / "labels/train/a.txt").write_text(row)
    (item,) = YoloLayout().read(root, "train").images[0].groundings
    assert item.label == "cat"
    return item.box.corners


@pytest.mark.parametrize(
    ("row", "corners"),
    [
        ("0 0.1 0.25 0.5 0.25 0.3 0.75", (10, 20, 50, 60)),
        ("0 0.1 0.25 0.5 0.25 0.5 0.75 0.1 0.75", (10, 20, 50, 60)),
        ("0 0.3 0 0.6 0.5 0.3 1 0 0.5", (0, 0, 60, 80)),
        ("0 0.3 -0.1 0.6 0.5 0.3 1.1 0 0.5", (0, 0, 60, 80)),
        ("0.0 0.3 0.5 0.4 0.5", (10, 20, 50, 60)),
        ("0 0.3 0.5 0.4 0.5" + KEYPOINTS, None),
        ("0 0.3 0.5 0.4 0.5" + KEYPOINTS + " 0.1 0.1 0", (10, 20, 50, 60)),
    ],
)
def test_rows_of_other_tasks_have_boxes(
    yolo_root: Path, row: str, corners: tuple[int, ...] | None
) -> None:
    if corners is not None:
        assert read_row(yolo_root, row) == pytest.approx(corners)
    else:  # six numbers behind a box may be three points of a polygon
        (yolo_root / "data.yaml").write_text(f"{CONFIG}kpt_shape: [2, 3]\n")
        assert read_row(yolo_root, row) == pytest.approx((10, 20, 50, 60))


def test_kinds_of_rows_may_be_mixed_in_a_file(yolo_root: Path) -> None:
    rows = "0 0.3 0.5 0.4 0.5\n1 0.1 0.25 0.5 0.25 0.3 0.75\n"
    (yolo_root / "labels/train/a.txt").write_text(rows)
    cat, dog = YoloLayout().read(yolo_root, "train").images[0].groundings
    for item in (cat, dog):
        assert item.box.corners == pytest.approx((10, 20, 50, 60))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("0 0.5 0.5 0.1 0.1 0.9", "got 6 fields: a score behind the box"),
        ("0 0.5 0.5 0.1 0.1 0.9 0.1 0.1 0.1 0.1", "got 10 fields: neither a box nor pairs"),
        ("0 1.5 0.25 0.5 0.25 0.3 0.75", "pixels outside the image"),
        ("0 150 60 150 70 200 70 200 60", "pixels outside the image"),
    ],
)
def test_rows_that_are_nothing_known_are_named(yolo_root: Path, row: str, told: str) -> None:
    with pytest.raises(UserError, match=rf"a\.txt:1: .*{told}"):
        read_row(yolo_root, row)


def test_byte_order_marks_and_carriage_returns_are_no_text(yolo_root: Path) -> None:
    rows = "\ufeff0 0.3 0.5 0.4 0.5\r\n1 0.3 0.5 0.4 0.5\r\n"
    (yolo_root / "labels/train/a.txt").write_bytes(rows.encode())
    (yolo_root / "data.yaml").unlink()
    (yolo_root / "classes.txt").write_bytes("\ufeffcat\r\ndog\r\n\r\n".encode())
    found = YoloLayout().read(yolo_root, "train")
    assert found.names == ("cat", "dog")
    assert [item.label for item in found.images[0].groundings] == ["cat", "dog"]


@pytest.mark.parametrize("file", ["classes.txt", "labels/train/a.txt", "data.yaml"])
def test_another_encoding_is_an_error_that_names_the_file(yolo_root: Path, file: str) -> None:
    if file == "classes.txt":
        (yolo_root / "data.yaml").unlink()
    (yolo_root / "classes.txt").write_text("cat\ndog\n")
    (yolo_root / file).write_bytes("狗\n".encode("gbk"))
    with pytest.raises(UserError, match=rf"{file} is no UTF-8 text .*iconv -f"):
        YoloLayout().read(yolo_root, "train")


def test_a_blank_line_among_class_names_is_an_error(yolo_root: Path) -> None:
    (yolo_root / "data.yaml").unlink()
    (yolo_root / "classes.txt").write_text("cat\n\ndog\n")
    with pytest.raises(UserError, match=r"classes\.txt:2: a blank line"):
        YoloLayout().read(yolo_root, "train")


def test_one_class_may_be_written_without_a_list(yolo_root: Path) -> None:
    (yolo_root / "data.yaml").write_text("train: images/train\nnc: 1\nnames: cat\n")
    (yolo_root / "labels/train/a.txt").write_text("0 0.3 0.5 0.4 0.5\n")
    assert YoloLayout().read(yolo_root, "train").names == ("cat",)


def test_suffixes_may_be_in_capitals(
    yolo_root: Path, image_file: MakeImage, caplog: pytest.LogCaptureFixture
) -> None:
    (yolo_root / "labels/train/a.txt").rename(yolo_root / "labels/train/a.TXT")
    (yolo_root / "labels/train/empty.txt").write_text("")
    image_file(yolo_root / "images/train/c.JPG")
    (yolo_root / "labels/train/c.Txt").write_text("1 0.3 0.5 0.4 0.5\n")
    found = YoloLayout().read(yolo_root, "train")
    assert {image.id: len(image.groundings) for image in found.images} == {
        "a": 2,
        "c": 1,
        "empty": 0,
    }
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_images_without_a_label_file_are_counted_aloud(
    yolo_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    YoloLayout().read(yolo_root, "train")
    assert "1 of 2 images have no label file" in caplog.text
    assert "empty.jpg, for example" in caplog.text
    assert "data.never_absent=all" in caplog.text


@pytest.mark.parametrize(
    "line",
    [
        "{root}/images/train/a.jpg",
        "/home/me/set/images/train/a.jpg",
        "C:\\set\\images\\train\\a.jpg",
        "data/images/train/a.jpg",
    ],
)
def test_lists_may_hold_paths_of_this_or_another_machine(yolo_root: Path, line: str) -> None:
    (yolo_root / "data.yaml").write_text("train: lists/train.txt\nnames: [cat, dog]\n")
    (yolo_root / "lists").mkdir()
    (yolo_root / "lists/train.txt").write_text(line.format(root=yolo_root))
    (image,) = YoloLayout().read(yolo_root, "train").images
    assert (image.id, len(image.groundings)) == ("images/train/a", 2)


@pytest.mark.parametrize("folder", ["/home/me/set/images/train", "C:\\set\\images\\train"])
def test_folders_of_another_machine_are_found_by_their_ends(yolo_root: Path, folder: str) -> None:
    (yolo_root / "data.yaml").write_text(f"path: /x\ntrain: {folder}\nnames: [cat, dog]\n")
    assert len(YoloLayout().read(yolo_root, "train").images[0].groundings) == 2


def test_the_images_of_all_splits_are_not_those_of_a_missing_one(yolo_root: Path) -> None:
    (yolo_root / "data.yaml").write_text("test: ../test/images\nnames: [cat, dog]\n")
    with pytest.raises(UserError, match="no images for split 'test'"):
        YoloLayout().read(yolo_root, "test")


def test_images_and_labels_may_lie_in_one_folder(tmp_path: Path, image_file: MakeImage) -> None:
    image_file(tmp_path / "obj_train_data/a.jpg")
    (tmp_path / "obj_train_data/a.txt").write_text("1 0.3 0.5 0.4 0.5\n")
    (tmp_path / "obj.names").write_text("cat\ndog\n")
    (image,) = YoloLayout().read(tmp_path, None).images
    assert (image.id, [g.label for g in image.groundings]) == ("obj_train_data/a", ["dog"])


def test_a_missing_split_says_how_to_do_without(yolo_root: Path) -> None:
    with pytest.raises(UserError, match=r"type data\.train_split=null data\.heldout_split=0\.2"):
        YoloLayout().read(yolo_root, "test")
