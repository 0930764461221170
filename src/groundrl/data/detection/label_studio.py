"""Exports of Label Studio: ``JSON`` and ``JSON-MIN``, lists of tasks with shapes in per cent."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, unquote, urlsplit

from groundrl.boxes import Frame
from groundrl.data.detection.base import DetectionSet
from groundrl.data.detection.json_files import holds_list, is_json
from groundrl.data.detection.listed import ListedBox, ListedImage, assemble
from groundrl.data.detection.masks import is_number
from groundrl.data.detection.shapes import Corners, around, around_ellipse, around_turned
from groundrl.data.image_files import ImageFinder, existing_folder, is_image, path_parts
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import read_json

PER_CENT: Final = 100
UPLOAD: Final = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""Begins the name of an uploaded file."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LabelStudioLayout:
    """A JSON file, or a folder with one, and the images anywhere below its folder, found by name.

    Rectangles, polygons and ellipses have boxes; of other shapes the class is there, uncounted. A
    task without an annotation is left out: it was not looked at. Of several annotations the one
    marked as ground truth counts, else the first.
    """

    form: ClassVar[str] = "a Label Studio export (.json, JSON or JSON-MIN)"

    def recognises(self, path: Path) -> bool:
        """A JSON file that holds a list, or a folder with one."""
        return bool(_exports(path))

    def read(
        self,
        path: str | Path,
        split: str | None,
        *,
        images: str | Path | None = None,
        skip_unreadable: bool = False,
    ) -> DetectionSet:
        """Read all exports of the folder; a split is the name of one, without suffix."""
        root = Path(path).expanduser()
        files = _exports(root)
        if split is not None:
            files = [file for file in files if file.stem == split]
        if not files:
            raise UserError(
                f"{root}: no {'' if split is None else f'{split}.json, a '}JSON export of Label "
                "Studio (a list of tasks). Type data.train_split=null to take all there are, and "
                "data.heldout_split=0.2"
            )
        folder = root.parent if root.is_file() else root
        finder = ImageFinder([folder if images is None else existing_folder(images, "data set")])
        problems = Problems(f"Label Studio export {root}", skip_unreadable)
        listed = [
            image
            for file in files
            for where, task in _tasks(file, problems)
            if (image := _list_image(where, task, finder, problems)) is not None
        ]
        return assemble(listed, finder, problems, name=root.stem, split=split)


def _exports(path: Path) -> list[Path]:
    """JSON files that hold a list."""
    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    return [file for file in files if is_json(file) and holds_list(file)]


def _tasks(file: Path, problems: Problems) -> Iterator[tuple[str, Row]]:
    for index, task in enumerate(read_json(file)):
        where = f"{file}: [{index}]"
        if isinstance(task, dict):
            yield where, task
        else:
            problems.add(where, f"expected a task, got {task!r:.60}")


def _list_image(
    where: str, task: Row, finder: ImageFinder, problems: Problems
) -> ListedImage | None:
    data = task.get("data", task)
    written = _image_path(data) if isinstance(data, dict) else None
    if written is None:
        problems.add(where, "names no image: expected data.image")
        return None
    shapes = _shapes(task)
    if shapes is None:
        problems.note(where, "a task without an annotation")
        return None
    boxes: list[ListedBox] = []
    uncounted: set[str] = set()
    size = None
    for number, shape in shapes:
        place = f"{where}{number}"
        try:
            labels, value = _labels(shape)
            if not labels:
                continue
            stated = (shape.get("original_width"), shape.get("original_height"))
            size = size or (None if None in stated else stated)
            corners = _corners(value, stated)
            if corners is None:
                problems.note(place, f"a {shape.get('type', 'shape')} that has no box")
                uncounted |= {*labels}
            else:
                boxes += [
                    ListedBox(
                        label=one,
                        corners=corners,
                        where=place,
                        frame=Frame.UNIT,
                        is_turned=bool(value.get("rotation")) or "radiusX" in value,
                    )
                    for one in labels
                ]
        except ValueError as error:
            problems.add(place, str(error))
    name = path_parts(written)[-1]
    if not finder.has(written) and finder.has(UPLOAD.sub("", name)):
        written = UPLOAD.sub("", name)
    return ListedImage(
        file=written, where=where, size=size, boxes=boxes, uncounted=frozenset(uncounted)
    )


def _image_path(data: Row) -> str | None:
    """The value that ends like an image file, "image" first, as a path."""
    keys = sorted(data, key=lambda key: key not in ("image", "img"))
    for value in (data[key] for key in keys):
        if isinstance(value, str) and value:
            address = urlsplit(value.replace("\\", "/"))
            inside = parse_qs(address.query).get("d")  # of a local file
            path = inside[0] if inside else unquote(address.path)
            if is_image(Path(path)):
                return path.lstrip("/")
    return None


def _shapes(task: Row) -> list[tuple[str, Row]] | None:
    """The shapes of the annotation that counts, with their places; None without an annotation."""
    if "data" not in task:  # JSON-MIN: the shapes of each control stand beside the image
        if task.get("annotation_id") is None:
            return None
        lists = [(key, value) for key, value in task.items() if isinstance(value, list)]
        return [
            (f".{key}[{i}]", one)
            for key, value in lists
            for i, one in enumerate(value)
            if isinstance(one, dict)
        ]
    found = task.get("annotations", task.get("completions"))
    given = [
        (index, one)
        for index, one in enumerate(found if isinstance(found, list) else [])
        if isinstance(one, dict) and not one.get("was_cancelled")
    ]
    if not given:
        return None
    index, chosen = min(given, key=lambda item: item[1].get("ground_truth") is not True)
    shapes = chosen.get("result")
    return [
        (f".annotations[{index}].result[{i}]", one)
        for i, one in enumerate(shapes if isinstance(shapes, list) else [])
        if isinstance(one, dict)
    ]


def _labels(shape: Row) -> tuple[Sequence[str], Row]:
    """The classes of a shape, and its geometry; no class for what is no shape of a class."""
    value = shape.get("value", shape)
    if not isinstance(value, dict):
        raise ValueError(f"expected a shape, got {value!r:.60}")
    labels = next((value[key] for key in sorted(value) if key.endswith("labels")), None)
    if labels is None:
        return [], value
    if not isinstance(labels, list) or not all(isinstance(one, str) and one for one in labels):
        raise ValueError(f"labels must be a list of texts, got {labels!r:.60}")
    return labels, value


def _corners(value: Row, size: tuple[object, object]) -> Corners | None:
    """Shares of the image; None for a shape without a box."""

    def numbers(*keys: str) -> list[float]:
        found = [value.get(key) for key in keys]
        if not all(map(is_number, found)):
            raise ValueError(f"{', '.join(keys)} must be numbers, got {found}")
        return [float(one) / PER_CENT for one in found]  # pyright: ignore[reportArgumentType]

    turn = value.get("rotation", 0)
    turn = float(turn) if is_number(turn) else 0.0
    # Angles are measured in pixels, and the image may be no square.
    ratio = size[0] / size[1] if all(map(is_number, size)) and all(size) else 1.0  # pyright: ignore
    if "points" in value:
        points = value["points"]
        if not isinstance(points, list) or not all(
            isinstance(one, list) and len(one) == 2 and all(map(is_number, one)) for one in points
        ):
            raise ValueError("points must be a list of [x, y]")
        return around([(x / PER_CENT, y / PER_CENT) for x, y in points])
    if "radiusX" in value:
        x, y, rx, ry = numbers("x", "y", "radiusX", "radiusY")
        x1, y1, x2, y2 = around_ellipse(x * ratio, y, rx * ratio, ry, turn)
        return x1 / ratio, y1, x2 / ratio, y2
    if "height" in value and "width" in value and "x" in value:
        x, y, width, height = numbers("x", "y", "width", "height")
        upright = (x * ratio, y, (x + width) * ratio, y + height)
        x1, y1, x2, y2 = around_turned(upright, turn, (x * ratio, y))
        return x1 / ratio, y1, x2 / ratio, y2
    return None
