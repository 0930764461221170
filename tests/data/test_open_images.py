"""Open Images: boxes as shares, verified labels, groups, and only the images that are here."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from groundrl.data.detection.base import uncertain_classes
from groundrl.data.detection.open_images import OpenImagesLayout
from groundrl.errors import UserError

MakeImage = Callable[..., Path]
HEAD = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf,IsDepiction"
LABELS = "validation-annotations-human-imagelabels-boxable.csv"


def write(path: Path, *lines: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))


@pytest.fixture
def root(tmp_path: Path, image_file: MakeImage) -> Path:
    for name in ("1a", "2b", "3c"):
        image_file(tmp_path / f"validation/{name}.jpg")
    write(
        tmp_path / "class-descriptions-boxable.csv",
        *("/m/1,Cat", "/m/2,Dog", "/m/3,Person", "/m/4,Animal"),
    )
    write(
        tmp_path / "validation-annotations-bbox.csv",
        HEAD,
        "1a,x,/m/1,1,0.1,0.5,0.25,0.75,0,0,0",
        "1a,x,/m/3,1,0.1,0.5,0.25,0.75,0,1,0",
        "2b,x,/m/2,1,0.2,0.5,0.25,0.75,0,0,0",
        "2b,x,/m/1,1,0.2,0.5,0.25,0.75,0,0,1",
        "not-here,x,/m/2,1,0.2,0.5,0.25,0.75,0,0,0",
    )
    write(
        tmp_path / LABELS,
        "ImageID,Source,LabelName,Confidence",
        *("1a,x,/m/1,1", "1a,x,/m/2,0", "1a,x,/m/99,0", "2b,x,/m/4,1", "not-here,x,/m/1,0"),
    )
    return tmp_path


def test_boxes_are_shares_and_groups_and_drawings_are_not_counted(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert OpenImagesLayout().recognises(root)
    found = OpenImagesLayout().read(root, "validation")
    first, second = found.images
    (cat,) = first.groundings
    assert (first.id, cat.label, cat.box.corners) == ("1a", "Cat", (10, 20, 50, 60))
    assert first.uncounted == {"Person"}
    assert second.uncounted == {"Cat"}
    assert found.names == ("Cat", "Dog", "Person", "Animal")
    assert "3c.jpg: no row of validation-annotations-bbox.csv is about this image" in caplog.text


def test_only_what_people_verified_is_absent(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = OpenImagesLayout().read(root, "validation")
    first, second = (uncertain_classes(image, found.names) for image in found.images)
    assert (first, second) == ({"Person", "Animal"}, {"Cat", "Person", "Animal"})
    (root / LABELS).unlink()
    found = OpenImagesLayout().read(root, "validation")
    assert uncertain_classes(found.images[0], found.names) == {"Dog", "Person", "Animal"}
    assert "no class is called absent" in caplog.text


def test_the_published_tree_gives_the_wider_classes_and_not_the_wholes(root: Path) -> None:
    tree = {
        "LabelName": "/m/0",
        "Subcategory": [
            {
                "LabelName": "/m/4",
                "Subcategory": [{"LabelName": "/m/1"}, {"LabelName": "/m/2"}],
                "Part": [{"LabelName": "/m/3"}],
            }
        ],
    }
    (root / "bbox_labels_600_hierarchy.json").write_text(json.dumps(tree))
    wider = OpenImagesLayout().read(root, "validation").wider
    assert {name: set(above) for name, above in wider.items() if above} == {
        "Cat": {"Animal"},
        "Dog": {"Animal"},
    }


@pytest.mark.parametrize(
    ("file", "lines", "told"),
    [
        ("validation-annotations-bbox.csv", ("ImageID,XMin",), "expected the columns LabelName"),
        (
            "validation-annotations-bbox.csv",
            (HEAD, "1a,x,/m/1,1,a,1,0,1,0,0,0"),
            "bbox.csv:2: XMin",
        ),
        ("validation-annotations-bbox.csv", (HEAD, "1a,x,/m/7,1,0,1,0,1,0,0,0"), "has no name"),
        ("validation-annotations-bbox.csv", (HEAD, "1a,x,/m/1,1,0,1,0"), "bbox.csv:2: YMax"),
        (
            "validation-annotations-bbox.csv",
            (HEAD, "1a,x,/m/1,1,0,2,0,1,0,0,0"),
            "outside the image",
        ),
        (LABELS, ("a,b",), "expected the columns ImageID, LabelName, Confidence"),
    ],
)
def test_problems_are_named(root: Path, file: str, lines: tuple[str, ...], told: str) -> None:
    write(root / file, *lines)
    with pytest.raises(UserError, match=told):
        OpenImagesLayout().read(root, "validation")


def test_a_split_must_be_there_and_be_named(root: Path) -> None:
    with pytest.raises(UserError, match=r"Looked for \*test-annotations-bbox\.csv"):
        OpenImagesLayout().read(root, "test")
    with pytest.raises(UserError, match="which split"):
        OpenImagesLayout().read(root, None)


def test_tables_begin_with_or_without_a_byte_order_mark_and_are_utf_8(root: Path) -> None:
    table = root / "class-descriptions-boxable.csv"
    write(table, "/m/1,Cat", "/m/2,狗", "/m/3,Person", "/m/4,Animal", encoding="utf-8-sig")
    assert OpenImagesLayout().read(root, "validation").names[:2] == ("Cat", "狗")
    write(table, "/m/1,Cat", "/m/2,狗", encoding="gbk")
    with pytest.raises(UserError, match=r"boxable\.csv is no UTF-8 text"):
        OpenImagesLayout().read(root, "validation")
