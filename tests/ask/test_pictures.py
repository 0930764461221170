"""Which files can be asked about, and what is said of the others."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from groundrl.ask.pictures import find_pictures
from groundrl.errors import UserError

RED = Image.new("RGB", (60, 40), "red")


def refusal(*paths: Path) -> str:
    with pytest.raises(UserError) as error:
        find_pictures([str(path) for path in paths])
    return str(error.value)


def test_files_and_folders_are_read_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", ".hidden.png", "notes.txt", "c.gif"):
        if name == "notes.txt":
            (tmp_path / name).write_text("no picture")
        else:
            RED.save(tmp_path / name, "PNG")
    alone = tmp_path / "sub" / "alone.png"
    alone.parent.mkdir()
    RED.save(alone)
    found = find_pictures([str(alone), str(tmp_path)])
    assert [image.path.name for image in found] == ["alone.png", "a.jpg", "b.png", "c.gif"]
    assert {(image.width, image.height) for image in found} == {(60, 40)}


def test_a_photograph_is_as_large_as_it_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    RED.save(tmp_path / "turned.jpg", exif=exif)
    (image,) = find_pictures([str(tmp_path / "turned.jpg")])
    assert (image.width, image.height) == (40, 60)


def test_everything_that_is_no_picture_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    RED.save(tmp_path / "cut.jpg")
    cut = (tmp_path / "cut.jpg").read_bytes()[:300]
    (tmp_path / "cut.jpg").write_bytes(cut)
    (tmp_path / "empty").mkdir()
    RED.resize((4000, 10)).save(tmp_path / "narrow.png")
    message = refusal(
        *(tmp_path / name for name in ("text.png", "cut.jpg", "gone.png", "empty", "narrow.png"))
    )
    assert "5 problems" in message
    assert "text.png: the image cannot be decoded (no known image format)" in message
    assert "cut.jpg: the image cannot be decoded" in message
    assert "gone.png: no such file" in message
    assert "empty: no pictures here" in message
    assert "narrow.png: 4000 x 10 pixels" in message


def test_an_animation_is_refused_and_a_still_gif_is_not(tmp_path: Path) -> None:
    RED.save(tmp_path / "still.gif")
    blue = Image.new("RGB", (60, 40), "blue")
    RED.save(tmp_path / "moving.gif", save_all=True, append_images=[blue])
    RED.save(tmp_path / "scan.tiff", save_all=True, append_images=[blue, blue])
    assert len(find_pictures([str(tmp_path / "still.gif")])) == 1
    assert "2 pictures in one file" in refusal(tmp_path / "moving.gif")
    assert "3 pictures in one file" in refusal(tmp_path / "scan.tiff")


def test_a_photograph_with_a_preview_is_read(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    RED.save(path, "MPO", save_all=True, append_images=[RED.resize((30, 20))])
    (image,) = find_pictures([str(path)])
    assert np.asarray(image.load()).shape == (40, 60, 3)


def test_a_huge_picture_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RED.save(tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "more than 0 million pixels: save it smaller" in refusal(tmp_path / "huge.png")


def test_a_picture_has_to_be_named() -> None:
    assert refusal() == "there is no picture to ask about: type image=<file or folder>"
