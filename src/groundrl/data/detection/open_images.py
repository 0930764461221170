"""Open Images: tables (CSV) of boxes as shares of the image, and of labels that people verified."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from groundrl.boxes import Frame
from groundrl.data.detection.base import DetectionSet
from groundrl.data.detection.listed import ListedBox, ListedImage, assemble
from groundrl.data.image_files import ImageFinder, existing_folder, images_in
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import read_json

BOX_FILES: Final = ("*{split}-annotations-bbox.csv", "{split}/labels/detections.csv")
LABEL_FILES: Final = (
    "*{split}-annotations-human-imagelabels*.csv",
    "{split}/labels/classifications.csv",
)
NAME_FILES: Final = ("*class-descriptions*.csv", "{split}/metadata/classes.csv")
HIERARCHY_FILES: Final = ("*hierarchy*.json", "{split}/metadata/hierarchy.json")
IMAGE_FOLDERS: Final = ("{split}/data", "images/{split}", "{split}", "images")
COLUMNS: Final = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
VAGUE: Final = ("IsGroupOf", "IsDepiction", "IsInside")
"""Columns of boxes that are not around one object: the class is there, uncounted."""


@dataclass(frozen=True, slots=True)
class OpenImagesLayout:
    """``<split>-annotations-bbox.csv``, class names, verified labels, and the images that you have;
    rows about others are passed over.

    A class is absent where people verified that (``<split>-annotations-human-imagelabels.csv``);
    without that table no class is ever absent.
    """

    form: ClassVar[str] = "an Open Images folder (<split>-annotations-bbox.csv)"

    def recognises(self, path: Path) -> bool:
        """A folder with a table of boxes."""
        patterns = ("*-annotations-bbox.csv", "*/labels/detections.csv")
        return any(True for pattern in patterns for _ in path.glob(pattern))

    def read(
        self,
        path: str | Path,
        split: str | None,
        *,
        images: str | Path | None = None,
        skip_unreadable: bool = False,
    ) -> DetectionSet:
        """Read one split: train, validation or test."""
        root = existing_folder(path, "Open Images data set (<split>-annotations-bbox.csv)")
        if split is None:
            raise UserError(
                f"{root}: which split? Type data.train_split=train (detector.split=train)"
            )
        problems = Problems(f"Open Images {root}, split {split}", skip_unreadable)
        table = _first(root, BOX_FILES, split)
        if table is None:
            looked = " or ".join(pattern.format(split=split) for pattern in BOX_FILES)
            raise UserError(f"{root}: no table of boxes for split {split!r}. Looked for {looked}")
        names = _read_names(root, split)
        folder = _image_folder(root, split, images)
        files = {file.stem: file for file in images_in(folder)}
        boxes, uncounted = _read_boxes(table, files, names, problems)
        denied = _read_denied(root, split, files, names, problems)
        seen = boxes.keys() | uncounted.keys() | denied.keys()
        for stem in files.keys() - seen:
            problems.note(files[stem], f"no row of {table.name} is about this image")
        return assemble(
            [
                ListedImage(
                    file=files[stem],
                    where=str(files[stem]),
                    boxes=boxes.get(stem, ()),
                    uncounted=frozenset(uncounted.get(stem, ())),
                    denied=frozenset(denied.get(stem, ())),
                )
                for stem in sorted(seen)
            ],
            ImageFinder([folder]),
            problems,
            name=root.resolve().name,
            split=split,
            names=dict.fromkeys(names.values()) if names else None,
            wider=_read_hierarchy(root, split, names),
        )


def _first(root: Path, patterns: tuple[str, ...], split: str) -> Path | None:
    found = (file for p in patterns for file in sorted(root.glob(p.format(split=split))))
    return next(found, None)


def _image_folder(root: Path, split: str, images: str | Path | None) -> Path:
    if images is not None:
        return existing_folder(images, "data set's images")
    folders = [root / pattern.format(split=split) for pattern in IMAGE_FOLDERS]
    return next((folder for folder in folders if folder.is_dir()), root)


def _rows(path: Path) -> Iterator[list[str]]:
    """The rows of a table that may be larger than the memory. Raises UserError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from csv.reader(lines)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text ({error}). Save it as UTF-8") from error
    except csv.Error as error:
        raise UserError(f"{path} is not valid CSV ({error})") from error


def _records(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows by column, with their places. Raises UserError where columns are missing."""
    rows = _rows(path)
    head = next(rows, [])
    missing = [name for name in columns if name not in head]
    if missing:
        raise UserError(f"{path}: expected the columns {', '.join(missing)} in its first line")
    for line, row in enumerate(rows, start=2):
        yield f"{path}:{line}", dict(zip(head, row, strict=False))


def _read_names(root: Path, split: str) -> dict[str, str]:
    """Class names by code; empty without such a table."""
    path = _first(root, NAME_FILES, split)
    rows = [] if path is None else _rows(path)
    return {row[0].strip(): row[1].strip() for row in rows if len(row) > 1 and row[1].strip()}


def _name(code: str, names: Mapping[str, str]) -> str:
    """Raises ValueError for a code without a name."""
    if code in names:
        return names[code]
    if code.startswith("/") or not code:
        raise ValueError(
            f"class {code!r} has no name: put class-descriptions-boxable.csv into the folder"
        )
    return code


def _read_boxes(
    table: Path, files: Mapping[str, Path], names: Mapping[str, str], problems: Problems
) -> tuple[dict[str, list[ListedBox]], dict[str, set[str]]]:
    """Boxes, and classes of uncertain number, by image."""
    boxes: dict[str, list[ListedBox]] = defaultdict(list)
    uncounted: dict[str, set[str]] = defaultdict(set)
    for where, row in _records(table, COLUMNS):
        stem = row.get("ImageID", "")
        if stem not in files:
            continue
        try:
            name = _name(row.get("LabelName", ""), names)
            x1, x2, y1, y2 = (_share(row, column) for column in COLUMNS[2:])
        except ValueError as error:
            problems.add(where, str(error))
            continue
        if any(row.get(column, "").strip() == "1" for column in VAGUE):
            uncounted[stem].add(name)
        else:
            corners = (x1, y1, x2, y2)
            boxes[stem].append(
                ListedBox(label=name, corners=corners, frame=Frame.UNIT, where=where)
            )
    return boxes, uncounted


def _share(row: dict[str, str], column: str) -> float:
    try:
        return float(row.get(column, ""))
    except ValueError:
        raise ValueError(f"{column} must be a number, got {row.get(column)!r:.60}") from None


def _read_denied(
    root: Path, split: str, files: Mapping[str, Path], names: Mapping[str, str], problems: Problems
) -> dict[str, set[str]]:
    """Classes that people verified to be absent, by image."""
    table = _first(root, LABEL_FILES, split)
    denied: dict[str, set[str]] = defaultdict(set)
    if table is None:
        looked = LABEL_FILES[0].format(split=split)
        problems.remark(f"no class is called absent, as there is no {looked}")
        return denied
    for _, row in _records(table, ("ImageID", "LabelName", "Confidence")):
        stem, code = row.get("ImageID", ""), row.get("LabelName", "")
        # Labels go beyond the classes that have boxes.
        known = code in names or not code.startswith("/")
        if stem in files and known and row.get("Confidence", "").strip() in ("0", "0.0"):
            denied[stem].add(names.get(code, code))
    return denied


def _read_hierarchy(root: Path, split: str, names: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Class -> all wider classes, of the published tree."""
    path = _first(root, HIERARCHY_FILES, split)
    if path is None:
        return {}
    wider: dict[str, set[str]] = defaultdict(set)
    nodes: list[tuple[Any, frozenset[str]]] = [(read_json(path), frozenset())]
    while nodes:
        node, above = nodes.pop()
        if not isinstance(node, dict):
            continue
        name = names.get(str(node.get("LabelName")))
        if name is not None:
            wider[name] |= above - {name}
            above |= {name}
        for key in ("Subcategory", "Part"):
            # A part is not an object of the class of the whole.
            inside = node.get(key)
            nodes += [
                (child, above if key == "Subcategory" else frozenset())
                for child in (inside if isinstance(inside, list) else [])
            ]
    return {name: frozenset(above) for name, above in wider.items()}
