"""Folders of image files of all kinds, and scenes of the embedded world."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from groundrl.errors import UserError
from groundrl.synthesis.images import FolderImages, SceneImages

SHARED = Path(__file__).parents[3] / "shared/data/coco/images"


def save(path: Path, width: int = 40, height: int = 30, mode: str = "RGB", **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)


def ids(images: FolderImages) -> list[str]:
    return [image.id for image in images]


def test_images_come_in_the_order_of_their_paths_and_equal_names_stay_apart(
    tmp_path: Path,
) -> None:
    for name in ("b/x.png", "a/x.png", "a/deep/x.JPG", "z.webp", ".hidden/x.png", "._x.jpg"):
        save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image, and not called one")
    images = FolderImages(tmp_path)
    assert ids(images) == ids(images) == ["a/deep/x.JPG", "a/x.png", "b/x.png", "z.webp"]
    assert (len(images), images.name, images.skipped) == (4, tmp_path.name, {})


def test_equal_bytes_have_equal_digests_wherever_they_lie(tmp_path: Path) -> None:
    save(tmp_path / "a/x.png")
    save(tmp_path / "b/y.png")
    save(tmp_path / "c/x.png", width=41)
    first, second, third = FolderImages(tmp_path)
    assert first.digest == second.digest != third.digest


def test_everything_that_can_be_shown_is_an_image_of_the_size_it_is_shown_with(
    tmp_path: Path,
) -> None:
    for mode, name in (("CMYK", "a.jpg"), ("P", "b.gif"), ("RGBA", "c.png"), ("L", "d.tiff")):
        save(tmp_path / name, mode=mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "turned.jpg", exif=exif)
    Image.fromarray(np.full((30, 40), 40_000, np.uint16)).save(tmp_path / "deep.png")
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    images = list(FolderImages(tmp_path))
    assert len(images) == 7
    for image in images:
        shown = image.source.load()
        assert shown.mode == "RGB"
        assert shown.size == (image.source.width, image.source.height)
    assert {p.id: p.source.width for p in images}["turned.jpg"] == 30


def test_unusable_files_are_skipped_with_their_reason(tmp_path: Path) -> None:
    save(tmp_path / "good.png")
    save(tmp_path / "one.png", width=1, height=1)
    save(tmp_path / "thin.png", width=4000, height=16)
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:900])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no image")
    Image.new("1", (10_000, 10_000)).save(tmp_path / "bomb.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "itself.png").symlink_to(tmp_path / "itself.png")
    os.mkfifo(tmp_path / "pipe.png")
    images = FolderImages(tmp_path)
    assert ids(images) == ["good.png"]
    assert len(images) == 10
    told = {
        "one.png": "1 x 1 pixels: both sides need 16",
        "thin.png": "4000 x 16 pixels: one side may be 200 times the other",
        "cut.png": "cannot be decoded",
        "empty.jpg": "no known image format",
        "text.jpg": "no known image format",
        "bomb.png": "more than 89 million pixels",
        "gone.png": "leads nowhere",
        "itself.png": "leads nowhere",
        "pipe.png": "no file",
    }
    assert images.skipped.keys() == told.keys()
    assert all(why in images.skipped[name] for name, why in told.items())


def test_names_that_are_no_utf8_have_readable_ids(tmp_path: Path) -> None:
    save(tmp_path / os.fsdecode(b"caf\xe9.png"))
    save(tmp_path / "caf\\xe9.png")
    found = ids(FolderImages(tmp_path))
    assert found == [r"caf\\xe9.png", r"caf\xe9.png"]
    assert all(name.encode() for name in found)


def test_links_that_go_round_in_circles_are_followed_once(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    save(root / "a.png")
    save(root / "z/b.png")
    save(other / "c.png")
    (root / "z/up").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    (root / "alias").symlink_to(root / "z")
    (root / "linked").symlink_to(other)
    (other / "back").symlink_to(root / "z")
    assert ids(FolderImages(root)) == ["a.png", "linked/c.png", "z/b.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every folder")
def test_a_locked_folder_is_skipped_with_its_reason(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "locked/b.png")
    (tmp_path / "locked").chmod(0)
    images = FolderImages(tmp_path)
    (tmp_path / "locked").chmod(0o700)
    assert "cannot be read" in images.skipped["locked"]


def nothing(folder: Path) -> None:
    (folder / "notes.txt").write_text("")


def unusable(folder: Path) -> None:
    for index in range(7):
        (folder / f"{index}.jpg").write_text("")


@pytest.mark.parametrize(
    ("fill", "told"),
    [
        (nothing, "no images in this folder or below it"),
        (unusable, "not one of 7 files is a usable image"),
        (Path.rmdir, "no such folder"),
    ],
)
def test_no_images_is_one_error_with_what_to_type(
    tmp_path: Path, fill: Callable[[Path], None], told: str
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    fill(folder)
    with pytest.raises(UserError, match=told) as error:
        list(FolderImages(folder))
    assert "images=<folder with images>" in str(error.value)
    assert len(str(error.value).splitlines()) < 10


def test_images_are_checked_only_a_little_ahead(tmp_path: Path) -> None:
    for index in range(100):
        save(tmp_path / f"{index:03}.png")
    images = FolderImages(tmp_path)
    coming = iter(images)
    assert next(coming).id == "000.png"
    for path in sorted(tmp_path.iterdir())[50:]:
        path.unlink()
    assert len(list(coming)) == 49
    assert len(images.skipped) == 50


def test_scenes_have_the_digest_of_what_they_show() -> None:
    scenes = SceneImages(size=3, seed=5, subject="street", look="photo")
    assert [image.id for image in scenes] == ["000000", "000001", "000002"]
    digests = {p.digest for make in (scenes, SceneImages(size=3, seed=5)) for p in make}
    assert len(digests) == 6
    assert [p.digest for p in scenes] == [p.digest for p in scenes]
    assert next(iter(scenes)).source.load().size == (160, 160)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": 1, "look": "blurred"}])
def test_unknown_scenes_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"scenes.size=0|look=blurred"):
        SceneImages(**wrong)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the real photographs are not here ({SHARED})")
def test_real_photographs_are_all_usable() -> None:
    images = FolderImages(SHARED)
    assert len(list(images)) == len(images) == 256
    assert images.skipped == {}
