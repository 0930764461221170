"""YOLO detection data sets: an image folder per split, beside it one text file per image.

Rows are ``class cx cy w h``: centre and size as shares of the image, 0 to 1.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from groundrl.data.detection import (
    AnnotatedImage,
    Boxes,
    DetectionSet,
    check_images,
    check_set,
    existing_folder,
    pixel_box,
)
from groundrl.data.problems import Problems
from groundrl.data.yolo_files import CONFIG_FILES, NAME_FILE, Entry, find_entries
from groundrl.records import Grounding, ImageFile


@dataclass(frozen=True, slots=True)
class YoloLayout:
    """An image folder and a label folder per split. An image without a label file has no objects.

    Class names come from data.yaml, config.yaml or dataset.yaml, or from classes.txt (one name a
    line).
    """

    form: ClassVar[str] = "a YOLO folder (data.yaml, images/, labels/)"

    def recognises(self, path: Path) -> bool:
        """A folder with class names, images/ or labels/."""
        names = (*CONFIG_FILES, NAME_FILE, "images", "labels")
        return any((path / name).exists() for name in names)

    def read(
        self,
        path: str | Path,
        split: str | None,
        *,
        images: str | Path | None = None,
        skip_unreadable: bool = False,
    ) -> DetectionSet:
        """Read one split; None takes everything below images/. ``images`` is not used."""
        return _read_split(path, split, skip_unreadable)


def _read_split(root: str | Path, split: str | None, skip_unreadable: bool) -> DetectionSet:
    folder = existing_folder(root, "YOLO data set (data.yaml, images/, labels/)")
    name = f"YOLO data set {folder}" + (f", split {split}" if split else "")
    problems = Problems(name, skip_unreadable)
    names, entries = find_entries(folder, split, problems)
    checked = check_images(entry.image for entry in entries)
    images = [
        _read_entry(entry, file, names, problems)
        if isinstance(file := checked[entry.image], ImageFile)
        else problems.unreadable(entry.image, file)
        for entry in entries
    ]
    return check_set(
        problems,
        name=folder.resolve().name,
        split=split or "all",
        names=names.values(),
        images=(image for image in images if image is not None),
    )


def _read_entry(
    entry: Entry, image: ImageFile, names: dict[int, str], problems: Problems
) -> AnnotatedImage:
    boxes = Boxes(problems)
    # Bytes that are no text become a malformed row.
    label = entry.label.read_bytes() if entry.label.is_file() else b""
    rows = label.decode(errors="replace").splitlines()
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        where = f"{entry.label}:{number}"
        try:
            boxes.add(_read_row(row, image, names), where)
        except ValueError as error:
            problems.add(where, str(error))
    return AnnotatedImage(
        id=entry.id,
        image=image,
        groundings=boxes.groundings,
        uncounted=frozenset(boxes.uncounted),
    )


def _read_row(row: str, image: ImageFile, names: dict[int, str]) -> Grounding:
    fields = row.split()
    if len(fields) != 5:
        raise ValueError(f"expected 'class cx cy w h', got {len(fields)} fields: {row.strip()!r}")
    try:
        number, cx, cy, w, h = map(float, fields)
    except ValueError:
        raise ValueError(f"expected five numbers, got {row.strip()!r}") from None
    if number not in names:
        raise ValueError(f"class {fields[0]} is not in 'names' ({len(names)} classes)")
    width, height = image.width, image.height
    corners = (
        (cx - w / 2) * width,
        (cy - h / 2) * height,
        (cx + w / 2) * width,
        (cy + h / 2) * height,
    )
    return Grounding(label=names[int(number)], box=pixel_box(corners, image))
