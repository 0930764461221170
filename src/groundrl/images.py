"""Reading image files. Boxes refer to the pixels that ``read_image`` returns."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from PIL import ExifTags, Image

ORIENTATION: Final = ExifTags.Base.Orientation
TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> the transposition that turns the image upright."""
QUARTER_TURNS: Final = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""
SIXTEEN_BITS: Final = ("I;16", "I;16B", "I;16L", "I;16N")
ORIENTATION_KEYS: Final = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
"""Metadata that would make readers turn an upright image again."""
DAMAGED: Final = (
    *(OSError, SyntaxError, ValueError, TypeError, AttributeError, NotImplementedError),
    *(LookupError, ArithmeticError, EOFError, AssertionError, struct.error),
)
"""Exceptions that Pillow's readers raise for files with wrong bytes; found by experiment."""
MAX_ASPECT: Final = 200
"""Longer over shorter side: the processors of the Qwen-VL families refuse more."""
UNBOUNDED_MODES: Final = ("F", "I")
"""Pillow modes without a known value for white."""


class UnreadableImageError(ValueError):
    """A file that is not an image, or has no 8-bit form; the message is the reason."""


def read_image(path: Path | BytesIO) -> Image.Image:
    """8-bit RGB pixels, turned upright by the EXIF orientation. Raises UnreadableImageError.

    Of an animation the first frame; transparent parts are laid over white; of 16 bits the upper 8.
    """
    with open_image(path) as image:
        _check_range(image)
        turn = _orientation(image)
        # Pillow's own exif_transpose writes the EXIF anew, and fails where it is damaged.
        shown = image.copy() if turn is None else image.transpose(TURNS[turn])
        if shown.mode in SIXTEEN_BITS:
            shown = Image.fromarray((np.asarray(shown) >> 8).astype(np.uint8))
        elif shown.has_transparency_data:
            above = shown.convert("RGBA")
            shown = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
        shown = shown if shown.mode == "RGB" else shown.convert("RGB")
        for key in ORIENTATION_KEYS:
            shown.info.pop(key, None)
        return shown


def checked_size(path: Path | BytesIO) -> tuple[int, int]:
    """Width and height of ``read_image``; reads every byte. Raises UnreadableImageError."""
    with open_image(path) as image:
        _check_range(image)
        size = upright_size(image)
        check_shape(*size)
        # An eighth of the size still reads a JPEG to its last byte, in a third of the time.
        image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
    return size


def shape_problem(width: int, height: int) -> str | None:
    """Why processors refuse an image of this size; None for one that they take, and for 0 x 0: not
    known."""
    short, long = sorted((width, height))
    if long <= MAX_ASPECT * short:
        return None
    return f"{width} x {height} pixels: one side may be {MAX_ASPECT} times the other"


def check_shape(width: int, height: int) -> None:
    """Raises UnreadableImageError for an image of a shape that processors refuse."""
    problem = shape_problem(width, height)
    if problem:
        raise UnreadableImageError(problem)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of the upright image; pixels are not decoded."""
    return (image.height, image.width) if _orientation(image) in QUARTER_TURNS else image.size


def _orientation(image: Image.Image) -> int | None:
    """The EXIF orientation that Pillow has not applied; None for an upright image."""
    # Pillow turns TIFF files itself, and gives their size accordingly.
    orientation = None if image.format == "TIFF" else image.getexif().get(ORIENTATION)
    return orientation if orientation in TURNS else None


@contextmanager
def open_image(path: Path | BytesIO) -> Iterator[Image.Image]:
    """Open a file, or bytes, with Pillow; errors inside the block become UnreadableImageErrors."""
    try:
        with warnings.catch_warnings():
            # Damaged metadata; the image itself is fine, or cannot be decoded.
            warnings.simplefilter("ignore", UserWarning)
            # Beyond the limit Pillow warns, and beyond twice the limit it raises.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                yield image
    except UnreadableImageError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise UnreadableImageError(
            f"more than {limit:.0f} million pixels: save it smaller"
        ) from error
    except DAMAGED as error:
        raise UnreadableImageError(f"the image cannot be decoded ({_reason(error)})") from error


def _check_range(image: Image.Image) -> None:
    if image.mode in UNBOUNDED_MODES:
        raise UnreadableImageError(
            f"its numbers (mode {image.mode}) have no known range: save it with 8 or 16 bits per "
            "channel"
        )


def _reason(error: Exception) -> str:
    """The error without the file's name: callers write it first, and it may not be printable."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "no known image format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
