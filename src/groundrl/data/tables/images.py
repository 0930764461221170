"""Images as rows hold them: paths below a folder, bytes, data URLs."""

import base64
import binascii
import hashlib
import os
import re
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from groundrl.data.tables.files import Table, UnreadableRowError
from groundrl.files import is_file
from groundrl.images import UnreadableImageError, checked_size, open_image, read_image, upright_size
from groundrl.records import ImageFile, ImageSource

if TYPE_CHECKING:
    from PIL.Image import Image

_DATA_URL: Final = re.compile(r"data:image/[\w.+-]+;base64,")


class MissingImageError(ValueError):
    """An image that is not where its row says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBytes:
    """An encoded image in memory, with the size of the upright image."""

    content: bytes
    key: str
    width: int
    height: int

    def __repr__(self) -> str:
        return f"ImageBytes({self.key})"

    def load(self) -> "Image":
        """Decoded RGB pixels, upright."""
        return read_image(BytesIO(self.content))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowImage:
    """The encoded image in a row of a table, read when it is needed."""

    table: Table = field(compare=False, repr=False)
    row: int = field(compare=False)
    column: str
    key: str
    width: int
    height: int

    def load(self) -> "Image":
        """Decoded RGB pixels, upright."""
        value = self.table.row(self.row)[self.column]
        return ImageFolder(root=None).open(value, whole=False).load()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """Opens the images of rows; paths stay below ``root``."""

    root: Path | None
    """None: there is no folder, so that rows have to hold the images themselves."""

    def open(self, value: object, *, whole: bool) -> ImageSource:
        """The image that a row names. ``whole``: every byte is read, not only the size.

        Raises MissingImageError, UnreadableRowError for a damaged one, and ValueError for
        everything else that is wrong with it.
        """
        match value:
            case bytes():
                return _from_bytes(value, whole)
            case {"bytes": bytes(content)}:
                return _from_bytes(content, whole)
            case {"path": str(path)}:
                return self._from_path(path, whole)
            case str() if _DATA_URL.match(value):
                return _from_url(value, whole)
            case str() if re.match(r"https?://", value):
                raise ValueError(f"image {value:.80} is an address: download it, and name the file")
            case str() if value:
                return self._from_path(value, whole)
        raise ValueError(f"an image must be a path, a data URL or bytes, got {value!r:.60}")

    def _from_path(self, name: str, whole: bool) -> ImageFile:
        if self.root is None:
            raise ValueError(f"image {name!r} is a path: type data.images=<folder of the images>")
        root = Path(os.path.abspath(self.root))
        path = Path(os.path.normpath(root / name))
        if not path.is_relative_to(root):
            raise ValueError(
                f"image {name!r} leaves the folder of the images, {root}: type "
                "data.images=<folder that holds them all>"
            )
        if not is_file(path):
            raise MissingImageError(f"image {name!r}: no such file below {root}")
        width, height = _size(path, f"image {name!r}", whole)
        return ImageFile(path=path, width=width, height=height)


def _from_url(url: str, whole: bool) -> ImageBytes:
    try:
        content = base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error as error:
        raise UnreadableRowError(f"image {url[:40]!r}... is not valid base64: {error}") from None
    return _from_bytes(content, whole)


def _from_bytes(content: bytes, whole: bool) -> ImageBytes:
    key = f"bytes:{hashlib.blake2b(content, digest_size=16).hexdigest()}"
    width, height = _size(BytesIO(content), "the image in the row", whole)
    return ImageBytes(content=content, key=key, width=width, height=height)


def _size(content: Path | BytesIO, name: str, whole: bool) -> tuple[int, int]:
    try:
        if whole:
            return checked_size(content)
        with open_image(content) as image:
            return upright_size(image)
    except UnreadableImageError as error:
        raise UnreadableRowError(f"{name}: {error}") from None
