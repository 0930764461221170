"""COCO detection data sets, and LVIS in the same format: JSON files of images, categories and
boxes (x, y, width, height)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from groundrl.data.detection.base import DetectionSet, check_set
from groundrl.data.detection.coco_rows import CocoTables, list_images, load_tables
from groundrl.data.detection.json_files import holds_list, is_json
from groundrl.data.detection.listed import place_images, tell_unlisted
from groundrl.data.image_files import ImageFinder, existing_folder
from groundrl.data.problems import Problems
from groundrl.errors import UserError

ANNOTATION_FILES: Final = (
    "annotations/instances_{split}.json",
    "annotations/{split}.json",
    "{split}/_annotations.coco.json",
    "{split}/instances.json",
    "annotations/lvis_v1_{split}.json",
    "lvis_v1_{split}.json",
    "annotations/*{split}*.json",
    "{split}/*.json",
    "{split}.json",
)
"""Where the annotations of a split are; of the first pattern that fits, all files."""
IMAGE_FOLDERS: Final = ("images/{split}", "{split}", "{split}/images", "images", "data", ".")


@dataclass(frozen=True, slots=True)
class CocoLayout:
    """An annotation file with ``images`` elsewhere, or a folder with files for each split."""

    form: ClassVar[str] = "a COCO annotation file (.json) or a COCO folder (annotations/, images/)"

    def recognises(self, path: Path) -> bool:
        """A .json file that does not begin as a list, or a folder with annotation files in one of
        the usual places."""
        patterns = (pattern.format(split="*") for pattern in ANNOTATION_FILES[:6])
        return (is_json(path) and not holds_list(path)) or any(
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
        """Read the annotation file at ``path`` (about ``images``), or those of a split below it;
        None for the split takes every file of the folder.

        ``iscrowd`` and ``ignore`` boxes cover an unknown number of objects: they are left out and
        their class is noted in ``uncounted`` of the image.
        """
        root = Path(path).expanduser()
        if root.is_file():
            if images is None:
                raise UserError(
                    f"{path} is about images elsewhere: type images=<folder>, or "
                    "data.images=<folder>"
                )
            files, name = [root], root.stem
        else:
            root = existing_folder(path, "COCO data set (annotations/, images/)")
            files = _find_files(root, split)
            name = files[0].stem if len(files) == 1 else root.resolve().name
        problems = Problems(
            f"COCO data set {files[0] if len(files) == 1 else root}", skip_unreadable
        )
        found = [load_tables(file, problems) for file in files]
        names = list(dict.fromkeys(name for tables in found for name in tables.names.values()))
        finders: dict[Path, ImageFinder] = {}
        placed = []
        for tables in found:
            folder = _image_folder(tables, root, split, images)
            finder = finders.setdefault(folder, ImageFinder([folder]))
            # Of several files each one knows its own classes.
            own = None if {*names} == {*tables.names.values()} else {*tables.names.values()}
            listed = list_images(tables, problems, looked_for=own)
            prefix = f"{folder.name}/" if len({file.parent for file in files}) > 1 else ""
            placed += place_images(listed, finder, problems, prefix)
        for finder in finders.values():
            finder.check_found(problems.source)
            if split is None:
                tell_unlisted(finder, problems)
        return check_set(
            problems,
            name=name,
            split=split or "all",
            names=names,
            images=placed,
            wider={name: wide for tables in found for name, wide in tables.wider.items()},
        )


def _find_files(root: Path, split: str | None) -> list[Path]:
    """The annotation files of a split. Raises UserError where there are none."""
    patterns = [
        pattern.format(split=split or "*").replace("***", "*") for pattern in ANNOTATION_FILES
    ]
    for files in (sorted(root.glob(pattern)) for pattern in patterns):
        if files:
            return files
    raise UserError(
        f"{root}: no annotations for split {split!r}. Looked for\n  "
        + "\n  ".join(str(root / pattern) for pattern in patterns)
        + "\nType data.train_split=<part of a file's name>, or data.train_split=null "
        f"data.heldout_split=0.2 to take all files. Files here: {_some(root.rglob('*.json'))}"
    )


def _some(paths: Iterator[Path]) -> str:
    names = [path.name for path, _ in zip(paths, range(5), strict=False)]
    return ", ".join(names) or "none"


def _image_folder(
    tables: CocoTables, root: Path, split: str | None, images: str | Path | None
) -> Path:
    if images is not None:
        return existing_folder(images, "COCO data set's images")
    own = tables.path.parent
    if own not in (root, root / "annotations"):
        return own  # beside their annotations
    part = split or tables.path.stem.rpartition("_")[2]
    folders = [root / pattern.format(split=part) for pattern in IMAGE_FOLDERS]
    return next(path for path in folders if path.is_dir())
