"""COCO detection data sets: one JSON file of images, categories and boxes (x, y, width, height)."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

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

ANNOTATION_FILES: Final = (
    "annotations/instances_{split}.json",
    "annotations/{split}.json",
    "{split}/_annotations.coco.json",
    "{split}/instances.json",
    "{split}.json",
)
IMAGE_FOLDERS: Final = ("images/{split}", "{split}", "images", ".")
FIELDS: Final[dict[str, dict[str, type]]] = {
    "images": {"id": int, "file_name": str},
    "categories": {"id": int, "name": str},
    "annotations": {"image_id": int, "category_id": int, "bbox": list},
}


LICENCE: Final = {"id": int, "name": str}


@dataclass(frozen=True, slots=True)
class CocoLayout:
    """An annotation file with ``images`` elsewhere, or a folder with one such file per split."""

    form: ClassVar[str] = "a COCO annotation file (.json) or a COCO folder (annotations/, images/)"

    def recognises(self, path: Path) -> bool:
        """A .json file, or a folder with annotation files in one of the usual places."""
        patterns = (pattern.format(split="*") for pattern in ANNOTATION_FILES[:-1])
        return (path.is_file() and path.suffix == ".json") or any(
            True for pattern in patterns for _ in path.glob(pattern)
        )

    def read(
        self,
        path: str | Path,
        split: str | None,
        *,
        images: str | Path | None = None,
        skip_unreadable: bool = False,
    ) -> DetectionSet:
        """Read the annotation file at ``path`` (about ``images``), or that of a split below it.

        ``iscrowd`` boxes cover an unknown number of objects: they are left out and their class is
        noted in ``uncounted`` of the image.
        """
        annotations = Path(path).expanduser()
        if not annotations.is_file():
            split, annotations, images = _find_split(path, split)
        elif images is None:
            raise UserError(f"{path} is about images elsewhere: type images=<folder>")
        return _read_file(annotations, images, split or "all", skip_unreadable)


def _find_split(root: str | Path, split: str | None) -> tuple[str, Path, Path]:
    """The split with its annotation file and its folder of images."""
    folder = existing_folder(root, "COCO data set (annotations/, images/)")
    if split is None:
        raise UserError(
            f"{folder}: which split? Type detector.split=train2017 or data.train_split=train2017, "
            "for example"
        )
    files = [folder / pattern.format(split=split) for pattern in ANNOTATION_FILES]
    annotations = next((path for path in files if path.is_file()), None)
    if annotations is None:
        looked = "\n  ".join(str(path) for path in files)
        raise UserError(f"{folder}: no annotations for split {split!r}. Looked for\n  {looked}")
    folders = [folder / pattern.format(split=split) for pattern in IMAGE_FOLDERS]
    return split, annotations, next(path for path in folders if path.is_dir())


def _read_file(path: Path, images: str | Path, split: str, skip_unreadable: bool) -> DetectionSet:
    folder = existing_folder(images, "COCO data set's images")
    problems = Problems(f"COCO data set {path}", skip_unreadable)
    tables = _load(path, problems)
    names_of = {row["id"]: row["name"] for row in tables["licenses"]}
    licences = {
        row["id"]: names_of.get(row["license"])
        for row in tables["images"]
        if isinstance(row.get("license"), int)
    }
    names = {row["id"]: row["name"] for row in tables["categories"]}
    if len(set(names.values())) < len(tables["categories"]):
        problems.add(path, "categories: two of them have the same id or name")
    checked = check_images(folder / row["file_name"] for row in tables["images"])
    files = _image_files(tables["images"], folder, checked, path, problems)
    boxes: dict[int, Boxes] = defaultdict(lambda: Boxes(problems))
    known = {row["id"] for row in tables["images"]}
    for index, row in enumerate(tables["annotations"]):
        where = f"{path}: annotations[{index}]"
        if row["image_id"] not in known or row["category_id"] not in names:
            key = "image_id" if row["image_id"] not in known else "category_id"
            problems.add(where, f"{key} {row[key]} is not defined in this file")
        elif row.get("iscrowd"):
            boxes[row["image_id"]].uncounted.add(names[row["category_id"]])
        elif row["image_id"] in files:
            try:
                boxes[row["image_id"]].add(_grounding(row, names, files[row["image_id"]]), where)
            except ValueError as error:
                problems.add(where, str(error))
    return check_set(
        problems,
        name=path.stem,
        split=split,
        names=names.values(),
        images=(
            AnnotatedImage(
                id=Path(row["file_name"]).with_suffix("").as_posix(),
                image=files[row["id"]],
                groundings=boxes[row["id"]].groundings,
                uncounted=frozenset(boxes[row["id"]].uncounted),
                licence=licences.get(row["id"]),
            )
            for row in tables["images"]
            if row["id"] in files
        ),
    )


def _load(path: Path, problems: Problems) -> dict[str, list[dict[str, Any]]]:
    """The three tables with their well-formed rows; malformed rows become problems. Licences are
    optional."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such annotation file.") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict) or not all(
        isinstance(content.get(table), list) for table in FIELDS
    ):
        raise UserError(f"{path}: expected the lists {', '.join(FIELDS)} (COCO instances format).")
    found = content.get("licenses")
    licences = (
        [row for row in found if _wrong(row, LICENCE) == []] if isinstance(found, list) else []
    )
    tables: dict[str, list[dict[str, Any]]] = {"licenses": licences}
    for table, fields in FIELDS.items():
        tables[table] = []
        for index, row in enumerate(content[table]):
            wrong = _wrong(row, fields)
            if wrong:
                problems.add(f"{path}: {table}[{index}]", ", ".join(wrong))
            else:
                tables[table].append(row)
        if table != "annotations" and len({row["id"] for row in tables[table]}) < len(
            tables[table]
        ):
            problems.add(path, f"{table}: two of them have the same id")
    return tables


def _wrong(row: object, fields: Mapping[str, type]) -> list[str]:
    """What a row lacks."""
    return [
        f"'{name}' must be {kind.__name__}"
        for name, kind in fields.items()
        if not isinstance(row, dict) or not isinstance(row.get(name), kind)
    ]


def _image_files(
    rows: list[dict[str, Any]],
    folder: Path,
    images: dict[Path, ImageFile | str],
    path: Path,
    problems: Problems,
) -> dict[int, ImageFile]:
    """Image id -> image, where the image decodes and has the size the annotators saw."""
    files: dict[int, ImageFile] = {}
    names: set[str] = set()
    for index, row in enumerate(rows):
        where = f"{path}: images[{index}]"
        image = images[folder / row["file_name"]]
        if row["file_name"] in names:
            problems.add(where, f"{row['file_name']} is listed twice")
        names.add(row["file_name"])
        if isinstance(image, str):
            problems.unreadable(folder / row["file_name"], image)
            continue
        stated = (row.get("width", image.width), row.get("height", image.height))
        if stated != (image.width, image.height):
            problems.add(where, describe_other_size(stated, image))
            continue
        files[row["id"]] = image
    return files


def _grounding(row: dict[str, Any], names: dict[int, str], image: ImageFile) -> Grounding:
    if len(row["bbox"]) != 4 or not all(isinstance(value, int | float) for value in row["bbox"]):
        raise ValueError(f"bbox must be [x, y, width, height], got {row['bbox']}")
    x, y, width, height = map(float, row["bbox"])
    box = pixel_box((x, y, x + width, y + height), image)
    return Grounding(label=names[row["category_id"]], box=box)
