"""Exports of CVAT: ``CVAT for images 1.1``, one XML file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from groundrl.data.detection.base import DetectionSet
from groundrl.data.detection.listed import ListedBox, ListedImage, assemble
from groundrl.data.detection.shapes import (
    Corners,
    around,
    around_ellipse,
    around_turned,
)
from groundrl.data.detection.xml_files import (
    Element,
    XmlFile,
    number,
    read_xml,
    stated_size,
    to_number,
)
from groundrl.data.image_files import ImageFinder, existing_folder
from groundrl.data.problems import Problems
from groundrl.errors import UserError

FILE: Final = "annotations.xml"
SHAPES: Final = ("box", "polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton")


@dataclass(frozen=True, slots=True)
class CvatLayout:
    """``annotations.xml``, the images below its folder. A split is a subset of the task.

    Boxes, polygons, ellipses and masks have boxes; of other shapes the class is there, uncounted.
    """

    form: ClassVar[str] = "a CVAT export (annotations.xml, CVAT for images 1.1)"

    def recognises(self, path: Path) -> bool:
        """An XML file that begins like an export of CVAT, or a folder with annotations.xml."""
        file = path if path.is_file() else path / FILE
        if not file.is_file() or file.suffix.lower() != ".xml":
            return False
        with file.open("rb") as opened:
            return b"<annotations>" in opened.read(1024)

    def read(
        self,
        path: str | Path,
        split: str | None,
        *,
        images: str | Path | None = None,
        skip_unreadable: bool = False,
    ) -> DetectionSet:
        """Read one subset of the task; None takes all."""
        root = Path(path).expanduser()
        file = root if root.is_file() else root / FILE
        if not file.is_file():
            raise UserError(f"{file}: no such file. Give a CVAT export (CVAT for images 1.1).")
        problems = Problems(f"CVAT export {file}", skip_unreadable)
        document = read_xml(file, problems)
        if document is None:
            problems.raise_if_any()
            raise AssertionError("a document that cannot be read is a problem")
        if document.root.find("track") is not None:
            raise UserError(
                f"{file} holds the tracks of a video: export it from CVAT as CVAT for images 1.1, "
                "with its images"
            )
        folder = file.parent if images is None else existing_folder(images, "data set's images")
        inner = [folder / "images"] if (folder / "images").is_dir() else []
        labels = [text for e in document.root.iterfind("meta//label/name") if (text := e.text)]
        return assemble(
            _list_images(document, split, problems),
            ImageFinder([*inner, folder]),
            problems,
            name=file.parent.resolve().name,
            split=split,
            names=dict.fromkeys(map(str.strip, labels)) if labels else None,
        )


def _list_images(document: XmlFile, split: str | None, problems: Problems) -> Iterator[ListedImage]:
    elements = document.root.findall("image")
    subsets = sorted({one.get("subset", "default") for one in elements})
    if split is not None and split.lower() not in map(str.lower, subsets):
        raise UserError(
            f"{document.path}: no subset {split!r}; subsets found: {', '.join(subsets) or 'none'}. "
            "Without subsets, type data.train_split=null data.heldout_split=0.2"
        )
    for element in elements:
        if split is None or element.get("subset", "default").lower() == split.lower():
            yield _list_image(document, element, problems)


def _list_image(document: XmlFile, element: Element, problems: Problems) -> ListedImage:
    boxes = []
    uncounted = set()
    for shape in element:
        label = shape.get("label", "").strip()
        if shape.tag not in SHAPES or not label:
            continue
        where = document.where(shape)
        try:
            corners = _corners(shape)
        except ValueError as error:
            problems.add(where, str(error))
            continue
        if corners is None:
            problems.note(where, f"<{shape.tag}> has no box")
            uncounted.add(label)
        else:
            is_turned = shape.tag == "ellipse" or "rotation" in shape.keys()  # noqa: SIM118
            boxes.append(ListedBox(label=label, corners=corners, where=where, is_turned=is_turned))
    return ListedImage(
        file=element.get("name", ""),
        where=document.where(element),
        size=stated_size(element.get("width", ""), element.get("height", "")),
        boxes=boxes,
        uncounted=frozenset(uncounted),
    )


def _corners(shape: Element) -> Corners | None:
    """The box around a shape; None for one without. Raises ValueError."""
    turn = to_number(shape.get("rotation", "0"), "rotation")
    match shape.tag:
        case "box":
            x1, y1, x2, y2 = (number(shape, key) for key in ("xtl", "ytl", "xbr", "ybr"))
            return around_turned((x1, y1, x2, y2), turn, ((x1 + x2) / 2, (y1 + y2) / 2))
        case "ellipse":
            cx, cy, rx, ry = (number(shape, key) for key in ("cx", "cy", "rx", "ry"))
            return around_ellipse(cx, cy, rx, ry, turn)
        case "mask":
            left, top, width, height = (
                number(shape, key) for key in ("left", "top", "width", "height")
            )
            return left, top, left + width, top + height
        case "polygon":
            points = [one.split(",") for one in shape.get("points", "").split(";")]
            if not all(len(one) == 2 for one in points):
                raise ValueError('points must be "x,y;x,y;..."')
            return around([(to_number(x, "x"), to_number(y, "y")) for x, y in points])
        case _:
            return None
