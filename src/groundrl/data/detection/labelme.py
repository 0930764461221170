"""Annotations of LabelMe: a JSON file of shapes beside each image."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from groundrl.data.detection.base import DetectionSet
from groundrl.data.detection.json_files import is_json
from groundrl.data.detection.listed import ListedBox, ListedImage, assemble
from groundrl.data.detection.shapes import Corners, around
from groundrl.data.image_files import ImageFinder, existing_folder
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import is_file, read_json
from groundrl.json_rows import Number, Text, Whole, validate

BOXED: Final = ("rectangle", "polygon", "circle", "mask", "rotation")
"""Shapes with an extent; of others (point, line) the class is there, uncounted."""
HEAD: Final = 4096
"""Bytes in which LabelMe's first fields stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    label: Text
    points: tuple[tuple[Number, Number], ...]
    shape_type: Text = "polygon"
    group_id: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    shapes: tuple[_Shape, ...]
    imagePath: Text
    imageWidth: Whole | None = None
    imageHeight: Whole | None = None


@dataclass(frozen=True, slots=True)
class LabelMeLayout:
    """A JSON file for each image, in the same folder or below one. A split is a folder.

    Shapes of one label with the same group id are parts of one object. An image without a file has
    not been looked at, and is left out.
    """

    form: ClassVar[str] = "a LabelMe folder (a .json file beside each image)"

    def recognises(self, path: Path) -> bool:
        """A JSON file that begins with shapes, or a folder that has one in it or in a folder of
        it."""
        files = [path] if path.is_file() else [*path.glob("*.json"), *path.glob("*/*.json")]
        return any(is_json(file) and _has_shapes(file) for file in files[:20])

    def read(
        self,
        path: str | Path,
        split: str | None,
        *,
        images: str | Path | None = None,
        skip_unreadable: bool = False,
    ) -> DetectionSet:
        """Read the folder of a split; None takes every file below ``path``."""
        root = Path(path).expanduser()
        folder = root.parent if root.is_file() else existing_folder(root, "LabelMe data set")
        if split is not None:
            folder = existing_folder(
                folder / split,
                "split, or type data.train_split=null data.heldout_split=0.2 to take all files",
            )
        files = [root] if root.is_file() else sorted(folder.rglob("*.json"))
        files = [file for file in files if _has_shapes(file)]
        if not files:
            raise UserError(f"{folder}: no JSON files of LabelMe (with 'shapes') here or below it")
        problems = Problems(f"LabelMe data set {folder}", skip_unreadable)
        finder = ImageFinder([folder if images is None else existing_folder(images, "data set")])
        listed = [one for file in files if (one := _list_image(file, finder, problems)) is not None]
        return assemble(listed, finder, problems, name=root.resolve().stem, split=split)


def _has_shapes(file: Path) -> bool:
    with file.open("rb") as opened:
        return b'"shapes"' in opened.read(HEAD)


def _list_image(file: Path, finder: ImageFinder, problems: Problems) -> ListedImage | None:
    try:
        found = validate(_File, read_json(file))
    except UserError as error:
        problems.found.append(str(error))
        return None
    except ValueError as error:
        problems.add(file, str(error))
        return None
    boxes: list[ListedBox] = []
    uncounted: set[str] = set()
    groups: dict[tuple[object, str], list[Corners]] = defaultdict(list)
    for index, shape in enumerate(found.shapes):
        where = f"{file}: shapes[{index}]"
        label = shape.label.strip()
        if not label:
            problems.add(where, "a label must not be blank")
        elif shape.shape_type not in BOXED:
            problems.note(where, f"a {shape.shape_type} has no box")
            uncounted.add(label)
        else:
            try:
                corners = _corners(shape)
            except ValueError as error:
                problems.add(where, str(error))
                continue
            if shape.group_id is None:
                is_turned = shape.shape_type in ("circle", "rotation")
                boxes.append(
                    ListedBox(label=label, corners=corners, where=where, is_turned=is_turned)
                )
            else:
                groups[shape.group_id, label].append(corners)
    boxes += [
        ListedBox(label=label, corners=_union(parts), where=f"{file}: group {group}")
        for (group, label), parts in groups.items()
    ]
    size = (found.imageWidth, found.imageHeight)
    beside = file.parent / found.imagePath.replace("\\", "/")
    return ListedImage(
        file=beside if is_file(beside) else found.imagePath,
        where=str(file),
        size=None if None in size else size,
        boxes=boxes,
        uncounted=frozenset(uncounted),
    )


def _corners(shape: _Shape) -> Corners:
    """Raises ValueError for too few points."""
    if shape.shape_type != "circle" or len(shape.points) != 2:
        return around(shape.points)
    (x, y), edge = shape.points
    radius = math.dist((x, y), edge)
    return x - radius, y - radius, x + radius, y + radius


def _union(parts: Sequence[Corners]) -> Corners:
    return around([point for x1, y1, x2, y2 in parts for point in ((x1, y1), (x2, y2))])
