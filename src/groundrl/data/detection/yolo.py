"""YOLO detection data sets: an image folder per split, beside it one text file per image.

Rows are ``class cx cy w h``: centre and size as shares of the image, 0 to 1. In data sets for other
tasks than detection they are ``class x y x y x y …`` (segments, and oriented boxes with four
corners) or ``class cx cy w h`` with keypoints behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from groundrl.boxes import Frame
from groundrl.data.detection.base import DetectionSet
from groundrl.data.detection.listed import ListedBox, ListedImage, assemble
from groundrl.data.detection.shapes import Corners, around, pairs
from groundrl.data.detection.yolo_files import CONFIG_FILES, NAME_FILES, Entry, YoloFiles
from groundrl.data.image_files import existing_folder
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import read_text


@dataclass(frozen=True, slots=True)
class YoloLayout:
    """An image folder and a label folder per split. An image without a label file has no objects;
    how many there are is logged.

    Class names come from data.yaml, config.yaml or dataset.yaml, or from classes.txt or obj.names
    (one name a line).
    """

    form: ClassVar[str] = "a YOLO folder (data.yaml, images/, labels/)"

    def recognises(self, path: Path) -> bool:
        """A folder with class names, images/ or labels/."""
        names = (*CONFIG_FILES, *NAME_FILES, "images", "labels")
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
        folder = existing_folder(path, "YOLO data set (data.yaml, images/, labels/)")
        name = f"YOLO data set {folder}" + (f", split {split}" if split else "")
        problems = Problems(name, skip_unreadable)
        files = YoloFiles(folder, split, problems)
        return assemble(
            [_list_image(entry, files, problems) for entry in files.entries],
            files.finder,
            problems,
            name=folder.resolve().name,
            split=split,
            names=files.names.values(),
        )


def _list_image(entry: Entry, files: YoloFiles, problems: Problems) -> ListedImage:
    boxes = []
    try:
        rows = [] if entry.label is None else read_text(entry.label).splitlines()
    except UserError as error:
        problems.found.append(str(error))
        rows = []
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        where = f"{entry.label}:{number}"
        try:
            label, corners = _read_row(row, files.names, files.keypoint_numbers)
            boxes.append(
                ListedBox(
                    label=label,
                    corners=corners,
                    frame=Frame.UNIT,
                    where=where,
                    # Four corners: an oriented box.
                    is_turned=len(row.split()) == 9,
                )
            )
        except ValueError as error:
            problems.add(where, str(error))
    return ListedImage(file=entry.image, id=entry.id, where=str(entry.image), boxes=boxes)


def _read_row(row: str, names: dict[int, str], keypoints: int | None) -> tuple[str, Corners]:
    """Class and corners. ``keypoints``: how many numbers follow a box, as data.yaml says."""
    fields = row.split()
    try:
        numbers = [float(field) for field in fields]
    except ValueError:
        raise ValueError(f"expected numbers, 'class cx cy w h', got {row.strip()!r:.80}") from None
    if len(numbers) < 5:
        raise ValueError(f"expected 'class cx cy w h', got {len(fields)} fields: {row.strip()!r}")
    if numbers[0] not in names:
        raise ValueError(f"class {fields[0]} is not in 'names' ({len(names)} classes)")
    return names[int(numbers[0])], _corners(numbers[1:], keypoints)


def _corners(numbers: Sequence[float], keypoints: int | None) -> Corners:
    """Of a box, of a box with keypoints, or around a polygon."""
    rest = len(numbers) - 4
    if rest in (0, keypoints) or (rest % 2 and rest % 3 == 0 and keypoints is None):
        cx, cy, w, h = numbers[:4]
        return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2
    if rest == 1:
        raise ValueError(
            "expected 'class cx cy w h', got 6 fields: a score behind the box is a prediction's"
        )
    if rest % 2:
        raise ValueError(
            f"got {rest + 5} fields: neither a box nor pairs of x and y; for keypoints, data.yaml "
            "needs kpt_shape: [<points>, <2 or 3>]"
        )
    return around(pairs(numbers))
