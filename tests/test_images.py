"""Images are read in one way, and what cannot be read says why."""

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from groundrl.files import printable
from groundrl.images import UnreadableImageError, checked_size, read_image
from groundrl.records import ImageFile

ORIENTATION = 0x0112
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p),
}
"""What each EXIF orientation does to rows and columns (EXIF 2.3, tag 0x0112)."""


def noise(width: int = 24, height: int = 16) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", TURNS)
def test_a_stored_turn_is_undone_and_the_size_agrees(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path, stored = tmp_path / f"a.{suffix}", noise()
    options: dict[str, Any] = {"lossless": True} if suffix == "webp" else {}
    stored.save(path, exif=exif, **options)
    shown = read_image(path)
    assert np.array_equal(np.asarray(shown), TURNS[orientation](np.asarray(stored)))
    assert checked_size(path) == shown.size
    assert shown.getexif().get(ORIENTATION, 1) == 1


def test_a_turned_photograph_has_the_size_that_it_is_shown_with(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 8
    noise(300, 200).save(tmp_path / "a.jpg", exif=exif)
    assert checked_size(tmp_path / "a.jpg") == read_image(tmp_path / "a.jpg").size == (200, 300)


def test_see_through_pixels_are_white_whatever_colour_lies_below(tmp_path: Path) -> None:
    hidden = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    hidden.putpixel((1, 0), (0, 0, 255, 255))
    hidden.save(tmp_path / "rgba.png")
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "palette.png", transparency=0)
    palette.save(tmp_path / "bytes.png", transparency=b"\x00\xff")
    for name in ("rgba", "palette", "bytes"):
        shown = read_image(tmp_path / f"{name}.png")
        assert [shown.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 255)]


def test_sixteen_bits_keep_their_shades(tmp_path: Path) -> None:
    grey = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray(grey).save(tmp_path / "a.tiff")
    for name in ("a.png", "a.tiff"):
        assert np.asarray(read_image(tmp_path / name))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_an_animation_is_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif").getpixel((0, 0)) == (255, 0, 0)


def test_print_colours_and_greys_become_rgb(tmp_path: Path) -> None:
    for mode in ("CMYK", "L", "1", "P"):
        path = tmp_path / f"{mode}.tiff"
        noise().convert(mode).save(path)
        assert (read_image(path).mode, read_image(path).size) == ("RGB", checked_size(path))


def broken(folder: Path) -> dict[str, Path]:
    """A file for each reason."""
    (folder / "text.jpg").write_text("no image")
    (folder / "empty.jpg").write_bytes(b"")
    noise(100, 100).save(folder / "whole.png")
    (folder / "cut.png").write_bytes((folder / "whole.png").read_bytes()[:2000])
    Image.new("1", (10_000, 10_000)).save(folder / "bomb.png")
    Image.new("1", (14_000, 14_000)).save(folder / "large bomb.png")
    Image.fromarray(np.ones((4, 4), np.float32)).save(folder / "float.tiff")
    names = {
        "text.jpg": "no known image format",
        "empty.jpg": "no known image format",
        "cut.png": "truncated",
        "bomb.png": "more than 89 million pixels",
        "large bomb.png": "more than 89 million pixels",
        "float.tiff": "no known range",
        "nowhere.png": "No such file",
    }
    return {why: folder / name for name, why in names.items()}


def test_the_error_for_an_unreadable_image_gives_the_reason(tmp_path: Path) -> None:
    noise(100, 100).save(tmp_path / "whole.png")
    for why, path in broken(tmp_path).items():
        for read in (read_image, checked_size):
            with pytest.raises(UnreadableImageError, match=why) as error:
                read(path)
            assert str(tmp_path) not in str(error.value)


def encoded(name: str) -> bytes:
    buffer = io.BytesIO()
    noise().save(buffer, name)
    return buffer.getvalue()


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"]),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), min_size=1, max_size=4),
    end=st.floats(0.05, 1),
)
def test_damaged_files_are_images_or_unreadable(
    name: str, cuts: list[tuple[float, bytes]], end: float
) -> None:
    content = bytearray(encoded(name))
    for place, written in cuts:
        start = int(place * (len(content) - 1))
        content[start : start + len(written)] = written
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(content[: max(1, int(end * len(content)))])
        try:
            size = checked_size(path)
        except UnreadableImageError:
            return
        # A reader of small JPEGs skips what it does not need; the whole image may be damaged.
        try:
            assert read_image(path).size == size
        except UnreadableImageError:
            assert name == "JPEG"


def test_damaged_exif_does_not_spoil_an_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x011A] = 72.0  # pixels per inch, a ratio
    whole = exif.tobytes()
    # As text it is read, and cannot be written again.
    damaged = whole.replace(b"\x01\x1a\x00\x05", b"\x01\x1a\x00\x02")
    assert damaged != whole
    noise(40, 30).save(tmp_path / "a.jpg", exif=damaged)
    assert checked_size(tmp_path / "a.jpg") == read_image(tmp_path / "a.jpg").size == (30, 40)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(["JPEG", "PNG", "WEBP"]),
    places=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8
    ),
)
def test_any_exif_is_read_or_makes_a_file_unreadable(
    name: str, places: list[tuple[float, int]]
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION], exif[0x010F], exif[0x011A] = 6, "a maker", 72.0
    content = bytearray(exif.tobytes())
    for place, byte in places:
        content[6 + int(place * (len(content) - 6))] = byte
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        noise().save(path, name, exif=bytes(content))
        try:
            size = checked_size(path)
        except UnreadableImageError:
            return
        assert read_image(path).size == size


def test_reading_prints_nothing(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read_image(tmp_path / "a.jpg")
    assert not said


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=6).filter(lambda b: b"\x00" not in b), max_size=8))
def test_names_outside_utf8_are_printable_and_stay_apart(names: list[bytes]) -> None:
    shown = {printable(os.fsdecode(name)) for name in names}
    assert len(shown) == len(set(names))
    assert all(text.encode() and text.isprintable() for text in shown)


def test_a_name_of_two_lines_is_printed_on_one() -> None:
    assert printable("two\nlines\t\u2028.png") == r"two\u000alines\u0009\u2028.png"


def test_an_image_with_an_undecodable_name_has_a_key(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    noise().save(path)
    image = ImageFile(path=path, width=24, height=16)
    assert image.key.encode().endswith(b"caf\\xe9.png")
    assert image.load().size == (24, 16)
