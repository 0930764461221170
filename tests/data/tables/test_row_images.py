"""Images of rows: paths below a folder, bytes, data URLs."""

import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from groundrl.data.tables.images import ImageBytes, ImageFolder, MissingImageError


def png(width: int = 6, height: int = 4, color: str = "red") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height), color).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "value",
    [
        png(),
        {"bytes": png(), "path": None},
        {"bytes": png(), "path": "elsewhere.png"},
        "data:image/png;base64," + base64.b64encode(png()).decode(),
    ],
)
def test_an_image_may_stand_in_its_row(value: object) -> None:
    image = ImageFolder(root=None).open(value, whole=True)
    assert isinstance(image, ImageBytes)
    assert (image.width, image.height) == image.load().size == (6, 4)
    assert image.load().getpixel((0, 0)) == (255, 0, 0)
    assert image.key == ImageFolder(root=None).open(png(), whole=False).key
    assert image.key != ImageFolder(root=None).open(png(color="blue"), whole=False).key


@pytest.mark.parametrize("value", ["in/a.png", {"bytes": None, "path": "in/a.png"}])
def test_a_path_starts_from_the_folder(
    tmp_path: Path, value: object, image_file: Callable[..., Path]
) -> None:
    image_file(tmp_path / "in/a.png")
    folder = ImageFolder(root=tmp_path)
    image = folder.open(value, whole=False)
    assert (image.width, image.height) == (100, 80)
    assert folder.open(str(tmp_path / "in/a.png"), whole=False) == image


@pytest.mark.parametrize("name", ["../a.png", "in/../../a.png", "/etc/a.png"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "data").mkdir()
    with pytest.raises(ValueError, match=r"leaves the folder.*type data.images="):
        ImageFolder(root=tmp_path / "data").open(name, whole=False)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("https://example.org/a.png", "download it"),
        ("data:image/png;base64,###", "not valid base64"),
        (b"text", "no known image format"),
        ("", "must be a path, a data URL or bytes"),
        (7, "must be a path, a data URL or bytes"),
        ({"bytes": None, "path": None}, "must be a path"),
        ("a.png", r"is a path: type data.images="),
    ],
)
def test_what_is_no_image_is_told(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageFolder(root=None).open(value, whole=False)


def test_a_missing_image_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(MissingImageError, match=r"'a.png': no such file below"):
        ImageFolder(root=tmp_path).open("a.png", whole=False)


def test_a_torn_image_is_found_where_it_is_read_whole(
    tmp_path: Path, image_file: Callable[..., Path]
) -> None:
    path = image_file(tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes()[:2000])
    folder = ImageFolder(root=tmp_path)
    assert folder.open("a.jpg", whole=False).width == 100
    with pytest.raises(ValueError, match=r"image 'a.jpg': the image cannot be decoded"):
        folder.open("a.jpg", whole=True)
