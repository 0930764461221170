"""The pictures that a question is about, found and read before a model is loaded."""

import os
from collections.abc import Sequence
from pathlib import Path

from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import printable
from groundrl.images import UnreadableImageError, check_shape, checked_size, open_image
from groundrl.records import ImageFile
from groundrl.synthesis.images import SUFFIXES

SEVERAL_EYES = "MPO"
"""Pillow's format of photographs with a second view or a preview; the first is the photograph."""


def find_pictures(paths: Sequence[str]) -> list[ImageFile]:
    """The files, and of each folder the picture files right in it, by name.

    Raises one UserError for everything that is no picture to ask about.
    """
    if not paths:
        raise UserError("there is no picture to ask about: type image=<file or folder>")
    problems = Problems("image=")
    found = []
    for path in (Path(path).expanduser() for path in paths):
        files = list_folder(path) if os.path.isdir(path) else [path]
        if not files:
            problems.add(printable(path), f"no pictures here ({', '.join(sorted(SUFFIXES))})")
        for file in files:
            try:
                found.append(read_picture(file))
            except UnreadableImageError as error:
                problems.add(printable(file), str(error))
    problems.raise_if_any()
    return found


def list_folder(folder: Path) -> list[Path]:
    """Picture files of a folder, by name; hidden ones are left out."""
    try:
        inside = sorted(os.listdir(folder))
    except OSError:  # which reading the folder as a picture reports
        return [folder]
    return [
        folder / name
        for name in inside
        if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
    ]


def read_picture(path: Path) -> ImageFile:
    """The picture, decoded once to its end. Raises UnreadableImageError."""
    if not os.path.exists(path):
        raise UnreadableImageError("no such file")
    if not os.path.isfile(path):
        raise UnreadableImageError("not a file that can be read")
    with open_image(path) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != SEVERAL_EYES:
            raise UnreadableImageError(
                f"an animation, or several pages: {frames} pictures in one file; save the one you "
                "mean"
            )
    width, height = checked_size(path)
    check_shape(width, height)
    return ImageFile(path=path, width=width, height=height)
