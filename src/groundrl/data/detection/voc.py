"""Pascal VOC data sets: an XML file per image, lists of images for the splits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from groundrl.data.detection.base import DetectionSet
from groundrl.data.detection.listed import ListedBox, ListedImage, assemble
from groundrl.data.detection.shapes import Corners, around, around_turned, pairs
from groundrl.data.detection.xml_files import (
    Element,
    XmlFile,
    read_xml,
    stated_size,
    to_number,
)
from groundrl.data.image_files import ImageFinder, existing_folder
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import read_text

ANNOTATION_FOLDERS: Final = ("Annotations", "annotations", "xmls", "labels", ".")
IMAGE_FOLDERS: Final = ("JPEGImages", "images", "Images", "imgs", ".")


@dataclass(frozen=True, slots=True)
class VocLayout:
    """One XML file per image: ``Annotations/`` and ``JPEGImages/``, ``annotations/`` and
    ``images/``, or all in one folder; or one XML file with many ``<annotation>`` elements.

    A split is a list ``ImageSets/Main/<split>.txt``, or a folder of that name with such a data set.
    Corners are 1-based and inclusive: pixel columns xmin..xmax are the continuous interval
    [xmin - 1, xmax].
    """

    form: ClassVar[str] = "a VOC folder (Annotations/, JPEGImages/)"

    def recognises(self, path: Path) -> bool:
        """A folder with XML files in one of the usual places, or one XML file; of other XML formats
        the first element tells."""
        if path.is_file():
            return path.suffix.lower() == ".xml" and _is_voc(path)
        patterns = [f"{folder}/*.xml" for folder in ANNOTATION_FOLDERS]
        first = (file for p in (*patterns, "*/*.xml", "*/*/*.xml") for file in path.glob(p))
        file = next(first, None)
        return file is not None and _is_voc(file)

    def read(
        self,
        path: str | Path,
        split: str | None,
        *,
        images: str | Path | None = None,
        skip_unreadable: bool = False,
    ) -> DetectionSet:
        """Read one split; None takes every annotation file."""
        root = Path(path).expanduser()
        if not root.is_file():
            root = existing_folder(path, "Pascal VOC data set (Annotations/, JPEGImages/)")
        name = f"Pascal VOC data set {root}" + (f", split {split}" if split else "")
        problems = Problems(name, skip_unreadable)
        base, files = (root.parent, [root]) if root.is_file() else _find_files(root, split)
        folders = [] if images is None else [existing_folder(images, "data set's images")]
        folders += [base / folder for folder in IMAGE_FOLDERS if (base / folder).is_dir()]
        finder = ImageFinder(folders[:1] if images is not None else folders)
        documents = [read_xml(file, problems) for file in files]
        listed = [
            _list_image(document, element, finder, problems)
            for document in documents
            if document is not None
            for element in _annotations(document.root)
        ]
        return assemble(listed, finder, problems, name=root.resolve().name, split=split)


def _is_voc(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4096)
    return b"<annotation>" in head or b"<annotation " in head or b"<" not in head


def _find_files(root: Path, split: str | None) -> tuple[Path, list[Path]]:
    """The folder that holds annotations and images, and the annotation files of the split."""
    listing = root / "ImageSets" / "Main" / f"{split}.txt"
    base = root
    if split is not None and not listing.is_file():
        base = root / split
        if not base.is_dir():
            raise UserError(_no_split(listing, split))
    folders = [base / name for name in ANNOTATION_FOLDERS]
    here = next((f for f in folders if any(f.glob("*.xml"))), None)
    if here is None:
        below = sorted(base.rglob("*.xml"))
        if not below:
            raise UserError(
                f"{base}: no XML files, here or in {', '.join(ANNOTATION_FOLDERS[:-1])}"
            )
        return base, below
    if base is root and split is not None:
        rows = [line.split() for line in read_text(listing).splitlines()]
        ids = dict.fromkeys(row[0].removesuffix(".xml") for row in rows if row)
        return base, [here / f"{id_}.xml" for id_ in ids]
    return base, sorted(here.glob("*.xml"))


def _no_split(listing: Path, split: str) -> str:
    known = ", ".join(sorted(path.stem for path in listing.parent.glob("*.txt"))) or "none"
    return (
        f"{listing}: no such file. It lists the images of split {split!r}, one id a line; splits "
        f"found: {known}. Without lists, type data.train_split=null data.heldout_split=0.2"
    )


def _annotations(root: Element) -> Iterator[Element]:
    """One per image."""
    if root.tag == "annotation":
        yield root
    else:
        yield from root.iter("annotation")


def _list_image(
    document: XmlFile, element: Element, finder: ImageFinder, problems: Problems
) -> ListedImage:
    stem = document.path.stem
    boxes = []
    for item in element.iterfind("object"):
        try:
            name = item.findtext("name", "").strip()
            if not name:
                raise ValueError("object without a <name>")
            where = document.where(item)
            boxes.append(
                ListedBox(
                    label=name,
                    corners=_corners(item, name),
                    where=where,
                    is_turned=item.find("bndbox") is None,
                )
            )
        except ValueError as error:
            problems.add(document.where(item), str(error))
    size = element.find("size")
    written = element.findtext("filename", "").strip()
    several = document.root is not element
    # Tools that rename images leave the old name in the file.
    if not several and (not written or not finder.has(written)) and finder.has(stem):
        written = stem
    return ListedImage(
        file=written or f"{stem}.jpg",
        where=document.where(element if size is None else size),
        size=None
        if size is None
        else stated_size(size.findtext("width", ""), size.findtext("height", "")),
        boxes=boxes,
    )


def _corners(item: Element, name: str) -> Corners:
    """Of the box, of a turned box (``<robndbox>``), or around the polygon. Raises ValueError."""
    box, turned, polygon = item.find("bndbox"), item.find("robndbox"), item.find("polygon")

    def value(element: Element, key: str) -> float:
        return to_number(element.findtext(key, "").strip(), f"<{key}> of {name!r}")

    if box is not None:
        x1, y1, x2, y2 = (value(box, key) for key in ("xmin", "ymin", "xmax", "ymax"))
        return x1 - 1, y1 - 1, x2, y2
    if turned is not None:
        cx, cy, w, h = (value(turned, key) for key in ("cx", "cy", "w", "h"))
        upright = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
        return around_turned(upright, math.degrees(value(turned, "angle")), (cx, cy))
    if polygon is not None:
        points = [to_number(one.text or "", f"<{one.tag}> of {name!r}") for one in polygon]
        return around(pairs(points))
    raise ValueError(f"{name!r} has no <bndbox>")
