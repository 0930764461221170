"""COCO and LVIS files as tools write them: crowds, masks, texts for numbers, several files."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundrl.data.detection.base import uncertain_classes
from groundrl.data.detection.coco import CocoLayout
from groundrl.data.detection.masks import box_of_segmentation
from groundrl.errors import UserError

MakeImage = Callable[..., Path]
BOX = [10, 20, 30, 40]
TOOL_TEXT = "V33a000000`1N`9"
"""Counts as pycocotools 2.0.11 writes them."""


def content(*annotations: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Images 1 and 2 (a.jpg, b.jpg), classes with gaps in their ids."""
    return {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 90, "name": "dog"}],
        "annotations": [{"image_id": 1, "category_id": 3, **one} for one in annotations],
        **more,
    }


@pytest.fixture
def folder(tmp_path: Path, image_file: MakeImage) -> Path:
    for name in ("a", "b"):
        image_file(tmp_path / f"images/{name}.jpg")
    return tmp_path


def read(folder: Path, value: object, encoding: str = "utf-8") -> Any:
    file = folder / "labels.json"
    file.write_bytes(json.dumps(value, ensure_ascii=False).encode(encoding))
    return CocoLayout().read(file, None, images=folder / "images")


def corners(found: Any) -> list[tuple[float, ...]]:
    return [item.box.corners for image in found.images for item in image.groundings]


def test_ids_may_be_texts_and_sizes_too(folder: Path) -> None:
    value = content({"bbox": BOX, "image_id": "1", "category_id": "3"})
    value["images"][0] = {"id": "1", "file_name": "a.jpg", "width": "100", "height": 80.0}
    value["categories"][0]["id"] = "3"
    found = read(folder, value)
    assert corners(found) == [(10, 20, 40, 60)]
    assert found.names == ("cat", "dog")


@pytest.mark.parametrize("yes", [1, 1.0, True, "1", "true"])
@pytest.mark.parametrize("key", ["iscrowd", "ignore"])
def test_crowds_and_ignored_boxes_are_not_counted(folder: Path, key: str, yes: object) -> None:
    found = read(folder, content({"bbox": BOX, key: yes}, {"bbox": BOX, "category_id": 90}))
    assert [item.label for item in found.images[0].groundings] == ["dog"]
    assert found.images[0].uncounted == {"cat"}


@pytest.mark.parametrize("no", [0, 0.0, False, "0", "false", "", None])
def test_no_in_words_is_no_crowd(folder: Path, no: object) -> None:
    assert corners(read(folder, content({"bbox": BOX, "iscrowd": no}))) == [(10, 20, 40, 60)]


def test_a_crowd_that_is_neither_is_an_error(folder: Path) -> None:
    with pytest.raises(UserError, match=r"annotations\[0\]: iscrowd must be 0 or 1, got 'maybe'"):
        read(folder, content({"bbox": BOX, "iscrowd": "maybe"}))


@pytest.mark.parametrize("box", [{}, {"bbox": []}, {"bbox": None}, {"bbox": [0, 0, 0, 0]}])
@pytest.mark.parametrize(
    "mask",
    [
        [[10, 20, 40, 25, 12, 60], [15, 30, 20, 35, 15, 35]],
        {"size": [80, 100], "counts": [10 * 80 + 20, 40, 29 * 80 - 40 + 39, 1, 60 * 80 + 20]},
    ],
)
def test_a_box_is_drawn_around_a_segmentation(
    folder: Path, box: dict[str, Any], mask: object
) -> None:
    assert corners(read(folder, content(box | {"segmentation": mask}))) == [(10, 20, 40, 60)]


def compress(counts: list[int]) -> str:
    """COCO's text of counts: 5 bits a character, from the fourth number on differences."""
    text = ""
    for index, count in enumerate(counts):
        left = count - (counts[index - 2] if index > 2 else 0)
        more = True
        while more:
            bits = left & 31
            left >>= 5
            more = left != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
    return text


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_the_box_of_a_mask_holds_exactly_its_pixels(
    height: int, width: int, data: st.DataObject
) -> None:
    mask = np.zeros((height, width), dtype=bool)
    for _ in range(data.draw(st.integers(1, 3))):
        y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        mask[y : y + data.draw(st.integers(1, 9)), x : x + data.draw(st.integers(1, 9))] = True
    flat = mask.T.reshape(-1).astype(int)
    ends = [0, *(np.flatnonzero(np.diff(flat)) + 1), len(flat)]
    counts = [int(n) for n in np.diff(ends)]
    counts = [0, *counts] if flat[0] else counts
    ys, xs = np.nonzero(mask)
    expected = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    for form in (counts, compress(counts)):
        assert box_of_segmentation({"counts": form, "size": [height, width]}) == expected


def test_the_text_of_a_mask_reads_as_the_coco_tools_write_it() -> None:
    # Rows 2 to 4 of columns 5 to 8, and row 10 of column 11.
    assert box_of_segmentation({"size": [20, 30], "counts": TOOL_TEXT}) == (5, 2, 12, 11)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"segmentation": []},
        {"segmentation": [[1, 2]]},
        {"segmentation": [[1, 2, 3, 4, 5]]},
        {"segmentation": {"counts": "0~", "size": [80, 100]}},
        {"segmentation": {"counts": [5], "size": [80, 100]}},
        {"segmentation": {"counts": [8000], "size": [80, 100]}},
        {"segmentation": {"counts": [-1, 8001], "size": [80, 100]}},
        {"segmentation": {"counts": [1], "size": "large"}},
        {"bbox": "10 20 30 40"},
        {"bbox": [1, 2, 3, "4"]},
        {"bbox": [1, 2, 3, 10**400]},
    ],
)
def test_what_has_no_box_is_named_with_its_place(folder: Path, broken: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"labels\.json: annotations\[1\]: "):
        read(folder, content({"bbox": BOX}, broken))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_names_in_any_alphabet_are_read(folder: Path, encoding: str) -> None:
    value = content({"bbox": BOX})
    value["categories"][0]["name"] = "猫"
    assert read(folder, value, encoding).names == ("猫", "dog")


def test_json_that_no_parser_can_hold_is_an_error(folder: Path) -> None:
    (folder / "deep.json").write_text('{"images": ' + "[" * 100_000)
    with pytest.raises(UserError, match=r"deep\.json is not valid JSON"):
        CocoLayout().read(folder / "deep.json", None, images=folder / "images")


def test_another_encoding_is_an_error_that_says_what_to_type(folder: Path) -> None:
    value = content({"bbox": BOX})
    value["categories"][0]["name"] = "狗"
    with pytest.raises(UserError, match=r"labels\.json is no UTF-8 text .*iconv -f"):
        read(folder, value, "gbk")


def test_images_of_another_machine_are_found_by_name(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    value = content({"bbox": BOX})
    value["images"][0]["file_name"] = "..\\..\\media\\upload\\4\\a.jpg"
    assert corners(read(folder, value)) == [(10, 20, 40, 60)]
    assert "found 1 image(s) by file name" in caplog.text
    for image in value["images"]:
        image["file_name"] = f"..\\{image['id']}.png"
    with pytest.raises(UserError, match="none of its 2 images is here"):
        read(folder, value)


def test_supercategories_are_wider_classes(folder: Path) -> None:
    value = content({"bbox": BOX})
    value["categories"] = [
        {"id": 3, "name": "cat", "supercategory": "animal"},
        {"id": 4, "name": "animal", "supercategory": "none"},
        {"id": 5, "name": "person", "supercategory": "person"},
    ]
    assert read(folder, value).wider == {"cat": {"animal"}}


def test_several_files_are_one_data_set_and_each_knows_its_own_classes(
    folder: Path, image_file: MakeImage
) -> None:
    (folder / "annotations").mkdir()
    image_file(folder / "images/c.jpg")
    first = content({"bbox": BOX})
    second = {
        "images": [{"id": 1, "file_name": "c.jpg"}],
        "categories": [{"id": 1, "name": "cup"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": BOX}],
    }
    for name, value in (("part_train_1", first), ("part_train_2", second)):
        (folder / f"annotations/{name}.json").write_text(json.dumps(value))
    for split in ("train", None):
        found = CocoLayout().read(folder, split)
        assert found.names == ("cat", "dog", "cup")
        assert [image.id for image in found.images] == ["a", "b", "c"]
        assert [uncertain_classes(image, found.names) for image in found.images] == [
            *({"cup"}, {"cup"}, {"cat", "dog"}),
        ]


def test_folders_with_their_own_file_are_read_together_without_a_split(
    tmp_path: Path, image_file: MakeImage
) -> None:
    for split in ("train", "valid"):
        for name in ("a", "b"):
            image_file(tmp_path / f"{split}/{name}.jpg")
        file = tmp_path / f"{split}/_annotations.coco.json"
        file.write_text(json.dumps(content({"bbox": BOX})))
    assert [one.id for one in CocoLayout().read(tmp_path, "valid").images] == ["a", "b"]
    assert [one.id for one in CocoLayout().read(tmp_path, None).images] == [
        *("train/a", "train/b", "valid/a", "valid/b"),
    ]


def test_lvis_says_which_classes_are_absent_and_which_uncounted(
    tmp_path: Path, image_file: MakeImage
) -> None:
    image_file(tmp_path / "val2017/1.jpg")
    value = content({"bbox": BOX})
    value["categories"].append({"id": 5, "name": "bow_(weapon)"})
    value["images"] = [
        {
            "id": 1,
            "coco_url": "http://images.cocodataset.org/val2017/1.jpg",
            "neg_category_ids": [90],
            "not_exhaustive_category_ids": [3],
        }
    ]
    (tmp_path / "lvis_v1_val.json").write_text(json.dumps(value))
    found = CocoLayout().read(tmp_path, "val")
    (image,) = found.images
    assert image.denied == {"dog"}
    assert uncertain_classes(image, found.names) == {"cat", "bow_(weapon)"}


@pytest.mark.parametrize(
    ("table", "row", "told"),
    [
        ("images", 3, r"images\[2\]: expected an object"),
        ("images", {"id": 1, "file_name": "b.jpg"}, r"images\[2\]: has the id of .*images\[0\]"),
        ("images", {"id": 9}, r"images\[2\]: has no 'file_name'"),
        ("images", {"id": 9, "file_name": "a.jpg"}, r"images\[2\]: a\.jpg is listed twice"),
        ("categories", {"id": 9, "name": " "}, r"categories\[2\]: 'name' must be a text"),
        ("categories", {"id": 3, "name": "cup"}, r"categories\[2\]: has the id of"),
    ],
)
def test_broken_rows_are_named(folder: Path, table: str, row: object, told: str) -> None:
    value = content({"bbox": BOX})
    value[table].append(row)
    with pytest.raises(UserError, match=told):
        read(folder, value)
