"""Pascal VOC data sets: ``Annotations/*.xml``, JPEGImages/, ImageSets/Main/<split>.txt."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from groundrl.data.detection import (
    AnnotatedImage,
    Boxes,
    DetectionSet,
    check_images,
    check_set,
    describe_other_size,
    existing_folder,
    pixel_box,
)
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.records import Grounding, ImageFile

Element = ElementTree.Element


@dataclass(frozen=True, slots=True)
class VocLayout:
    """One XML file per image.

    Corners are 1-based and inclusive: pixel columns xmin..xmax are the continuous interval
    [xmin - 1, xmax].
    """

    form: ClassVar[str] = "a VOC folder (Annotations/, JPEGImages/)"

    def recognises(self, path: Path) -> bool:
        """A folder with ``Annotations/*.xml``."""
        return any(True for _ in path.glob("Annotations/*.xml"))

    def read(
        self,
        path: str | Path,
        split: str | None,
        *,
        images: str | Path | None = None,
        skip_unreadable: bool = False,
    ) -> DetectionSet:
        """Read one split; None takes every annotation file. ``images`` is not used."""
        return _read_split(path, split, skip_unreadable)


def _read_split(root: str | Path, split: str | None, skip_unreadable: bool) -> DetectionSet:
    folder = existing_folder(root, "Pascal VOC data set (Annotations/, JPEGImages/)")
    existing_folder(folder / "Annotations", "Pascal VOC data set's annotations")
    name = f"Pascal VOC data set {folder}" + (f", split {split}" if split else "")
    problems = Problems(name, skip_unreadable)
    ids = _ids(folder, split)
    trees = {id_: _parse(folder / "Annotations" / f"{id_}.xml", problems) for id_ in ids}
    paths = {
        id_: folder / "JPEGImages" / (tree.root.findtext("filename") or f"{id_}.jpg").strip()
        for id_, tree in trees.items()
        if tree is not None
    }
    checked = check_images(paths.values())
    images = []
    for id_, path in paths.items():
        file, tree = checked[path], trees[id_]
        if isinstance(file, str):
            problems.unreadable(path, file)
        elif tree is not None:
            boxes = _boxes(tree, file, problems)
            images.append(
                AnnotatedImage(
                    id=id_,
                    image=file,
                    groundings=boxes.groundings,
                    uncounted=frozenset(boxes.uncounted),
                )
            )
    return check_set(
        problems,
        name=folder.resolve().name,
        split=split or "all",
        names=sorted({item.label for image in images for item in image.groundings}),
        images=images,
    )


def _ids(root: Path, split: str | None) -> list[str]:
    """The image ids of a split, in the order of its file."""
    if split is None:
        return sorted(path.stem for path in (root / "Annotations").glob("*.xml"))
    sets = root / "ImageSets" / "Main"
    listing = sets / f"{split}.txt"
    if not listing.is_file():
        known = ", ".join(sorted(path.stem for path in sets.glob("*.txt"))) or "none"
        raise UserError(
            f"{listing}: no such file. It lists the images of split {split!r}, one id a line; "
            f"splits found: {known}."
        )
    rows = [line.split() for line in listing.read_text(encoding="utf-8").splitlines()]
    return list(dict.fromkeys(row[0] for row in rows if row))


class _Tree:
    """An XML document with the line number of each element."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Element, int] = {}
        parser = ElementTree.XMLPullParser(events=("start",))
        # ElementTree keeps no line numbers, so it is fed line by line.
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
            parser.feed(line)
            self.lines |= {element: number for _, element in parser.read_events()}  # pyright: ignore
        parser.close()
        self.root = next(iter(self.lines))

    def where(self, element: Element) -> str:
        """ "file:line" of an element."""
        return f"{self.path}:{self.lines[element]}"


def _parse(path: Path, problems: Problems) -> _Tree | None:
    if not path.is_file():
        problems.add(path, "no such annotation file")
        return None
    try:
        return _Tree(path)
    except ElementTree.ParseError as error:
        problems.add(f"{path}:{error.position[0]}", f"not valid XML ({error})")
        return None


def _boxes(tree: _Tree, image: ImageFile, problems: Problems) -> Boxes:
    size = tree.root.find("size")
    if size is not None:
        stated = (size.findtext("width", "").strip(), size.findtext("height", "").strip())
        if stated != (str(image.width), str(image.height)):
            problems.add(tree.where(size), describe_other_size(stated, image))
    boxes = Boxes(problems)
    for element in tree.root.iterfind("object"):
        try:
            boxes.add(_grounding(element, image), tree.where(element))
        except ValueError as error:
            problems.add(tree.where(element), str(error))
    return boxes


def _grounding(element: Element, image: ImageFile) -> Grounding:
    name = element.findtext("name", "").strip()
    if not name:
        raise ValueError("object without a <name>")
    corners = {}
    for key in ("xmin", "ymin", "xmax", "ymax"):
        text = element.findtext(f"bndbox/{key}", "").strip()
        try:
            corners[key] = float(text)
        except ValueError:
            raise ValueError(f"<{key}> of {name!r} must be a number, got {text!r}") from None
    box = pixel_box(
        (corners["xmin"] - 1, corners["ymin"] - 1, corners["xmax"], corners["ymax"]), image
    )
    return Grounding(label=name, box=box)
