"""Pascal VOC data sets as tools write them: other folders, turned boxes, encodings."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from groundrl.data.detection.voc import VocLayout
from groundrl.errors import UserError

MakeImage = Callable[..., Path]
BOX = "<bndbox><xmin>1</xmin><ymin>11</ymin><xmax>50</xmax><ymax>80</ymax></bndbox>"


def xml(filename: str = "a.jpg", name: str = "dog", box: str = BOX, head: str = "") -> str:
    return (
        f"{head}<annotation>\n  <filename>{filename}</filename>\n"
        "  <size><width>100</width><height>80</height></size>\n"
        f"  <object><name>{name}</name>{box}</object>\n</annotation>\n"
    )


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


@pytest.mark.parametrize(
    ("annotations", "images"),
    [
        ("Annotations", "JPEGImages"),
        ("annotations", "images"),
        ("annotations/xmls", "images"),
        ("labels", "images"),
        (".", "."),
    ],
)
@pytest.mark.parametrize("filename", ["a.jpg", "a", "C:\\photos\\a.jpg", "old name.jpg", ""])
def test_annotations_find_their_images_in_any_usual_folder(
    tmp_path: Path, image_file: MakeImage, annotations: str, images: str, filename: str
) -> None:
    image_file(tmp_path / images / "a.jpg")
    write(tmp_path / annotations / "a.xml", xml(filename))
    assert VocLayout().recognises(tmp_path)
    (image,) = VocLayout().read(tmp_path, None).images
    assert image.id == "a"
    assert [(g.label, g.box.corners) for g in image.groundings] == [("dog", (0, 10, 50, 80))]


def test_a_split_may_be_a_folder(tmp_path: Path, image_file: MakeImage) -> None:
    for split in ("train", "valid"):
        image_file(tmp_path / split / f"{split}.jpg")
        write(tmp_path / split / f"{split}.xml", xml(f"{split}.jpg"))
    assert [one.id for one in VocLayout().read(tmp_path, "valid").images] == ["valid"]
    assert [one.id for one in VocLayout().read(tmp_path, None).images] == [
        *("train/train", "valid/valid"),
    ]
    with pytest.raises(UserError, match=r"data\.train_split=null data\.heldout_split=0\.2"):
        VocLayout().read(tmp_path, "test")


def test_one_file_may_hold_the_annotations_of_all_images(
    tmp_path: Path, image_file: MakeImage
) -> None:
    for name in ("a", "b"):
        image_file(tmp_path / f"images/{name}.jpg")
    write(tmp_path / "all.xml", f"<annotations>\n{xml('a.jpg')}{xml('b.jpg')}</annotations>")
    assert VocLayout().recognises(tmp_path / "all.xml")
    found = VocLayout().read(tmp_path / "all.xml", None)
    assert [(one.id, len(one.groundings)) for one in found.images] == [("a", 1), ("b", 1)]


@pytest.mark.parametrize(
    ("encoding", "head"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("utf-8", '<?xml version="1.0" encoding="UTF-8"?>\n'),
        ("utf-16", '<?xml version="1.0" encoding="utf-16"?>\n'),
        ("gb2312", "<?xml version='1.0' encoding='gb2312'?>\n"),
        ("shift_jis", '<?xml version="1.0" encoding="Shift_JIS"?>\n'),
    ],
)
def test_the_encoding_that_a_file_declares_is_read(
    tmp_path: Path, image_file: MakeImage, encoding: str, head: str
) -> None:
    image_file(tmp_path / "a.jpg")
    write(tmp_path / "a.xml", xml(name="猫", head=head), encoding)
    assert VocLayout().read(tmp_path, None).names == ("猫",)


@pytest.mark.parametrize(
    ("encoding", "head", "told"),
    [
        ("gbk", "", r"a\.xml is no UTF-8 text .*iconv -f"),
        ("gbk", '<?xml version="1.0" encoding="x-odd"?>', 'says encoding="x-odd"'),
        ("gbk", '<?xml version="1.0" encoding="ascii"?>', 'says encoding="ascii"'),
    ],
)
def test_an_encoding_that_cannot_be_read_is_an_error_with_its_name(
    tmp_path: Path, image_file: MakeImage, encoding: str, head: str, told: str
) -> None:
    image_file(tmp_path / "a.jpg")
    write(tmp_path / "a.xml", xml(name="狗", head=head), encoding)
    with pytest.raises(UserError, match=told):
        VocLayout().read(tmp_path, None)


@pytest.mark.parametrize(
    ("box", "corners"),
    [
        (
            f"<robndbox><cx>50</cx><cy>40</cy><w>40</w><h>20</h><angle>{math.pi / 2}</angle>"
            "</robndbox>",
            (40, 20, 60, 60),
        ),
        (
            "<polygon><x1>10</x1><y1>20</y1><x2>40</x2><y2>30</y2><x3>30</x3><y3>60</y3></polygon>",
            (10, 20, 40, 60),
        ),
    ],
)
def test_turned_boxes_and_polygons_have_boxes(
    tmp_path: Path, image_file: MakeImage, box: str, corners: tuple[int, ...]
) -> None:
    image_file(tmp_path / "a.jpg")
    write(tmp_path / "a.xml", xml(box=box))
    (item,) = VocLayout().read(tmp_path, None).images[0].groundings
    assert item.box.corners == pytest.approx(corners)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (xml(box=""), r"a\.xml:4: 'dog' has no <bndbox>"),
        (xml(name=" "), r"a\.xml:4: object without a <name>"),
        (xml(box=BOX.replace("50", "wide")), r"a\.xml:4: <xmax> of 'dog' must be a number"),
        (xml().replace("<width>100", "<width>wide"), r"a\.xml:3: says wide x 80 pixels"),
        ("", "not valid XML"),
        ("<annotation>", "not valid XML"),
        ('<!DOCTYPE a [<!ENTITY x "&y;">]><annotation>&z;</annotation>', "not valid XML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(
    tmp_path: Path, image_file: MakeImage, text: str, told: str
) -> None:
    image_file(tmp_path / "a.jpg")
    write(tmp_path / "a.xml", text)
    with pytest.raises(UserError, match=told):
        VocLayout().read(tmp_path, None)


def test_a_size_of_zeros_is_no_statement(tmp_path: Path, image_file: MakeImage) -> None:
    image_file(tmp_path / "a.jpg")
    write(tmp_path / "a.xml", xml().replace("100", "0").replace("<height>80", "<height>0"))
    assert len(VocLayout().read(tmp_path, None).images) == 1
