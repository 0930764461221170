"""Exports of Label Studio, CVAT and LabelMe: boxes in pixels, and only what somebody looked at."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from groundrl.data.detection.base import AnnotatedImage
from groundrl.data.detection.cvat import CvatLayout
from groundrl.data.detection.label_studio import LabelStudioLayout
from groundrl.data.detection.labelme import LabelMeLayout
from groundrl.errors import UserError

MakeImage = Callable[..., Path]


def boxes(image: AnnotatedImage) -> list[tuple[str, Any]]:
    return [(item.label, pytest.approx(item.box.corners)) for item in image.groundings]


@pytest.fixture
def folder(tmp_path: Path, image_file: MakeImage) -> Path:
    """Two images of 100 x 80 pixels."""
    for name in ("a", "b"):
        image_file(tmp_path / f"images/{name}.jpg")
    return tmp_path


# Label Studio

RECTANGLE = {"x": 10, "y": 25, "width": 40, "height": 50.0, "rotation": 0}


def shape(kind: str, label: str = "cat", **value: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "original_width": 100,
        "original_height": 80,
        "value": {**value, kind: [label]},
    }


def task(image: str, *shapes: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"data": {"text": "x", "image": image}, "annotations": [{"result": [*shapes], **more}]}


def read_label_studio(folder: Path, value: object) -> list[AnnotatedImage]:
    (folder / "export.json").write_text(json.dumps(value))
    assert LabelStudioLayout().recognises(folder)
    return list(LabelStudioLayout().read(folder, None).images)


@pytest.mark.parametrize(
    "written",
    [
        "images/a.jpg",
        "/data/upload/4/0a1b2c3d-a.jpg",
        "/data/local-files/?d=photos/a.jpg",
        "/data/local-files/?d=photos%5Ca.jpg",
        "s3://bucket/photos/a.jpg",
        "https://host/photos/a.jpg?token=1",
        "..\\..\\media\\upload\\4\\a.jpg",
    ],
)
def test_label_studio_rectangles_are_shares_in_per_cent(folder: Path, written: str) -> None:
    (image,) = read_label_studio(folder, [task(written, shape("rectanglelabels", **RECTANGLE))])
    assert boxes(image) == [("cat", (10, 20, 50, 60))]


def test_label_studio_shapes_with_an_extent_have_boxes_and_others_are_uncounted(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (image,) = read_label_studio(
        folder,
        [
            task(
                "a.jpg",
                shape("polygonlabels", points=[[10, 25], [50, 25], [30, 75]]),
                shape("ellipselabels", "ball", x=50, y=50, radiusX=20, radiusY=25),
                # A quarter turn to the right around the upper left corner.
                shape("rectanglelabels", "dog", **RECTANGLE | {"x": 60, "rotation": 90}),
                shape("brushlabels", "rain", format="rle", rle=[0, 1]),
                shape("keypointlabels", "nose", x=1, y=1, width=1),
                {"type": "choices", "value": {"choices": ["good"]}},
            )
        ],
    )
    assert boxes(image) == [
        ("cat", (10, 20, 50, 60)),
        ("ball", (30, 20, 70, 60)),
        ("dog", (20, 20, 60, 60)),
    ]
    assert image.uncounted == {"rain", "nose"}
    assert "a brushlabels that has no box" in caplog.text


def test_label_studio_tasks_that_nobody_annotated_are_left_out(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rectangle = shape("rectanglelabels", **RECTANGLE)
    found = read_label_studio(
        folder,
        [
            {"data": {"image": "a.jpg"}, "annotations": [], "predictions": [{"result": []}]},
            task("a.jpg", rectangle, was_cancelled=True),
            task("b.jpg", rectangle),
        ],
    )
    assert [image.id for image in found] == ["images/b"]
    assert "[0]: a task without an annotation (and 1 more places)" in caplog.text
    assert "a.jpg: an image without an annotation" in caplog.text


def test_label_studio_prefers_the_ground_truth_and_reads_an_empty_one(folder: Path) -> None:
    first = task("a.jpg", shape("rectanglelabels", **RECTANGLE))
    first["annotations"].append({"result": [], "ground_truth": True})
    second = task("b.jpg", shape("rectanglelabels", "dog", **RECTANGLE))
    found = read_label_studio(folder, [first, second])
    assert [boxes(image) for image in found] == [[], [("dog", (10, 20, 50, 60))]]


def test_label_studio_min_exports_have_their_shapes_beside_the_image(folder: Path) -> None:
    label = RECTANGLE | {"rectanglelabels": ["cat"], "original_width": 100, "original_height": 80}
    found = read_label_studio(
        folder,
        [
            {"image": "a.jpg", "id": 1, "annotation_id": 2, "label": [label]},
            {"image": "b.jpg", "id": 2},
        ],
    )
    assert [boxes(image) for image in found] == [[("cat", (10, 20, 50, 60))]]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([3], r"\[0\]: expected a task"),
        ([{"data": {"text": "x"}}], r"\[0\]: names no image"),
        ([task("a.jpg", shape("rectanglelabels", **RECTANGLE | {"x": "1"}))], "must be numbers"),
        ([task("a.jpg", shape("polygonlabels", points=[[1]]))], "points must be a list"),
        ([task("a.jpg", {"value": {"rectanglelabels": "cat"}})], "labels must be a list"),
        ([task("a.jpg", shape("rectanglelabels", **RECTANGLE) | {"original_width": 9})], "says 9"),
    ],
)
def test_label_studio_problems_are_named(folder: Path, value: object, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read_label_studio(folder, value)


# CVAT

SHAPES = """
    <box label="cat" xtl="10" ytl="20" xbr="50" ybr="60"><attribute name="x">1</attribute></box>
    <box label="turned" xtl="30" ytl="30" xbr="70" ybr="50" rotation="90.0"/>
    <polygon label="dog" points="10,20;50,20;30,60"/>
    <ellipse label="ball" cx="50" cy="40" rx="20" ry="10" rotation="90"/>
    <mask label="sky" rle="1, 2" left="5" top="6" width="20" height="10"/>
    <polyline label="road" points="1,1;2,2"/>
    <tag label="sunny"/>
"""


def cvat(*images: str) -> str:
    labels = "".join(f"<label><name>{name}</name></label>" for name in ("cat", "dog", "cup"))
    meta = f"<meta><task><labels>{labels}</labels></task></meta>"
    head = '<?xml version="1.0" encoding="utf-8"?>'
    return f"{head}\n<annotations>\n{meta}\n{''.join(images)}</annotations>"


def cvat_image(name: str, shapes: str, more: str = "") -> str:
    return f'<image id="0" name="{name}" width="100" height="80" {more}>{shapes}</image>\n'


def read_cvat(folder: Path, text: str, split: str | None = None) -> Any:
    (folder / "annotations.xml").write_text(text)
    assert CvatLayout().recognises(folder)
    return CvatLayout().read(folder, split)


def test_cvat_shapes_with_an_extent_have_boxes_and_others_are_uncounted(folder: Path) -> None:
    found = read_cvat(folder, cvat(cvat_image("a.jpg", SHAPES)))
    (image,) = found.images
    assert boxes(image) == [
        ("cat", (10, 20, 50, 60)),
        ("turned", (40, 20, 60, 60)),
        ("dog", (10, 20, 50, 60)),
        ("ball", (40, 20, 60, 60)),
        ("sky", (5, 6, 25, 16)),
    ]
    assert image.uncounted == {"road"}
    # The classes of the task, whether or not they occur.
    assert found.names == ("cat", "dog", "cup")


def test_cvat_subsets_are_splits(folder: Path) -> None:
    text = cvat(
        cvat_image("a.jpg", SHAPES, 'subset="Train"'),
        cvat_image("b.jpg", SHAPES, 'subset="Validation"'),
    )
    assert [one.id for one in read_cvat(folder, text, "train").images] == ["a"]
    assert [one.id for one in read_cvat(folder, text).images] == ["a", "b"]
    with pytest.raises(UserError, match="subsets found: Train, Validation"):
        read_cvat(folder, text, "test")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (cvat(cvat_image("a.jpg", '<box label="cat" xtl="x"/>')), r"xml:4: xtl of <box> must be"),
        (cvat(cvat_image("a.jpg", '<polygon label="cat" points="1"/>')), "points must be"),
        (cvat(cvat_image("z.jpg", SHAPES), cvat_image("a.jpg", SHAPES)), r"z\.jpg: no such image"),
        (cvat('<track id="0" label="cat"/>'), "export it from CVAT as CVAT for images 1.1"),
        (cvat("<image>"), "not valid XML"),
    ],
)
def test_cvat_problems_are_named(folder: Path, text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read_cvat(folder, text)


# LabelMe


def labelme(*shapes: Mapping[str, Any], image: str = "a.jpg", **more: Any) -> dict[str, Any]:
    return {"version": "5", "flags": {}, "shapes": [*shapes], "imagePath": image, **more}


def drawn(label: str, kind: str, *points: tuple[float, float], **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, **more}


def read_labelme(folder: Path, value: object, split: str | None = None) -> list[AnnotatedImage]:
    (folder / "images/a.json").write_text(json.dumps(value))
    assert LabelMeLayout().recognises(folder)
    return list(LabelMeLayout().read(folder, split).images)


def test_labelme_shapes_with_an_extent_have_boxes_and_groups_are_one_object(folder: Path) -> None:
    value = labelme(
        drawn("cat", "rectangle", (50, 60), (10.0, 20.0)),
        drawn("dog", "polygon", (10, 20), (50, 20), (30, 60), group_id=None),
        drawn("ball", "circle", (90, 40), (90, 60)),
        drawn("car", "rectangle", (0, 0), (10, 10), group_id=1),
        drawn("car", "rectangle", (20, 0), (30, 15), group_id=1),
        drawn("road", "line", (0, 0), (1, 1)),
        imageWidth=100,
        imageHeight=80,
    )
    (image,) = read_labelme(folder, value)
    assert boxes(image) == [
        ("cat", (10, 20, 50, 60)),
        ("dog", (10, 20, 50, 60)),
        ("ball", (70, 20, 100, 60)),  # reaches out of the image
        ("car", (0, 0, 30, 15)),
    ]
    assert image.uncounted == {"road"}


@pytest.mark.parametrize("path", ["a.jpg", "..\\photos\\a.jpg", "/home/me/a.jpg"])
def test_labelme_images_are_beside_their_files_or_found_by_name(folder: Path, path: str) -> None:
    (image,) = read_labelme(folder, labelme(drawn("cat", "rectangle", (1, 2), (3, 4)), image=path))
    assert image.id == "images/a"
    assert [
        one.id
        for one in read_labelme(
            folder, labelme(drawn("cat", "rectangle", (1, 2), (3, 4))), "images"
        )
    ] == ["a"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (labelme(drawn("cat", "rectangle", (1, 2))), r"shapes\[0\]: a shape needs two points"),
        (labelme(drawn(" ", "rectangle", (1, 2), (3, 4))), r"shapes\[0\]: a label must not be"),
        (labelme({"label": "cat"}), r"a\.json: shapes\[0\]: lacks the field 'points'"),
        (labelme(drawn("cat", "rectangle", (1, math.nan), (3, 4))), "expected a number"),
        (labelme(drawn("cat", "polygon", (1, 2), (300, 4))), "pixels outside the image"),
        (labelme(imageWidth=9, imageHeight=9), "says 9 x 9 pixels"),
        ({"shapes": []}, "lacks the field 'imagePath'"),
    ],
)
def test_labelme_problems_are_named(folder: Path, value: object, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read_labelme(folder, value)


def test_the_three_tools_are_told_apart(folder: Path) -> None:
    read_label_studio(folder, [task("a.jpg", shape("rectanglelabels", **RECTANGLE))])
    read_cvat(folder, cvat(cvat_image("a.jpg", SHAPES)))
    read_labelme(folder, labelme(drawn("cat", "rectangle", (1, 2), (3, 4))))
    files = ("export.json", "annotations.xml", "images/a.json")
    layouts = (LabelStudioLayout(), CvatLayout(), LabelMeLayout())
    told = [[layout.recognises(folder / file) for file in files] for layout in layouts]
    assert told == [[True, False, False], [False, True, False], [False, False, True]]
