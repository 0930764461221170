"""Where a YOLO data set keeps its class names, images and label files."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator

from groundrl.data.image_files import ImageFinder, images_in, path_parts
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import is_file, read_text, read_yaml
from groundrl.json_rows import Text, Whole, validate

CONFIG_FILES: Final = tuple(
    f"{stem}.{suffix}" for stem in ("data", "config", "dataset") for suffix in ("yaml", "yml")
)
NAME_FILES: Final = ("classes.txt", "obj.names", "_darknet.labels")
SPLITS: Final = ("train", "val", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One image and its label file, if it has one."""

    id: str
    image: Path
    label: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """An image folder: its path as the data set writes it, and the path that links lead to."""

    written: Path
    real: Path


def _check_name(name: str) -> str:
    if not name.strip():
        raise ValueError("a class name must not be blank")
    return name.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    """What data.yaml holds."""

    names: dict[int, Annotated[Text, AfterValidator(_check_name)]] | None = None
    """By class id."""
    path: Text = "."
    """Folder that the paths of ``splits`` start from, itself from the data set's folder."""
    splits: dict[Text, tuple[Text, ...]] = field(default_factory=dict)
    """Folders of images, or text files that list images."""
    kpt_shape: tuple[Whole, Whole] | None = None
    """Keypoints of an object, and numbers of each."""


class YoloFiles:
    """The files of one split. Raises UserError."""

    def __init__(self, root: Path, split: str | None, problems: Problems) -> None:
        config_file = next((root / f for f in CONFIG_FILES if (root / f).is_file()), None)
        config = _read_config(config_file, split) if config_file else _Config()
        named = _read_names(root, config_file) if config.names is None else config.names
        self.names = dict(sorted(named.items()))
        """By class id."""
        shape = config.kpt_shape
        self.keypoint_numbers = None if shape is None else shape[0] * shape[1]
        """How many numbers follow a box; None if data.yaml does not say."""
        sources = _sources(config, root, split, problems)
        real = [one.real if one.real.is_dir() else root for one in sources]
        self.finder = ImageFinder(real)
        self.entries = list(_entries(sources, self.finder, problems))
        _tell_unlabelled(self.entries, problems)


def _read_config(path: Path, split: str | None) -> _Config:
    """Raises UserError with all problems."""
    value = read_yaml(path)
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected keys such as 'train', 'val' and 'names'.")
    names = value.get("names")
    names = [names] if isinstance(names, str) else names
    splits = {key: value[key] for key in (*SPLITS, split) if value.get(key)}
    shaped = {
        "names": dict(enumerate(names)) if isinstance(names, list) else names,
        "path": value.get("path") or ".",
        "splits": {key: [one] if isinstance(one, str) else one for key, one in splits.items()},
        "kpt_shape": value.get("kpt_shape"),
    }
    try:
        return validate(_Config, shaped)
    except ValueError as error:
        raise UserError(
            f"{path}: {error}. Write it so: names: [cat, dog], train: images/train. Text that YAML "
            "reads as a number, a date or true and false needs quotes: names: ['no', '7']."
        ) from error


def _read_names(root: Path, config_file: Path | None) -> dict[int, str]:
    """Class names from a file with one a line."""
    path = next((root / name for name in NAME_FILES if (root / name).is_file()), None)
    if path is None:
        raise UserError(
            f"{root}: no class names found. Write {config_file or root / CONFIG_FILES[0]} with a "
            "line such as 'names: [cat, dog]'."
        )
    lines = [line.strip() for line in read_text(path).strip().split("\n")]
    if "" in lines:
        raise UserError(
            f"{path}:{lines.index('') + 1}: a blank line among the class names; the number of a "
            "class is that of its line, from 0"
        )
    return dict(enumerate(lines))


def _sources(config: _Config, root: Path, split: str | None, problems: Problems) -> list[_Folder]:
    """Where the split's images are: folders, or text files that list images."""
    if split is None:
        places = ("images", ".")
        written = (next((f for f in places if _at(root, f) and images_in(root / f)), "images"),)
    elif split in config.splits:
        written = config.splits[split]
    else:
        written = (next((f for f in (f"images/{split}", f"{split}/images") if _at(root, f)), ""),)
    bases = [root / config.path, root]
    found = [
        next(filter(None, (_at(base, item) for base in bases)), None)
        or _moved(root, item, problems)
        for item in written
    ]
    missing = [item for item, place in zip(written, found, strict=True) if place is None]
    if missing:
        raise UserError(
            f"{root}: no images for split {split!r} ({missing[0] or f'images/{split}'} does not "
            f"exist). Splits in its config: {', '.join(sorted(config.splits)) or 'none'}. Without "
            "splits, type data.train_split=null data.heldout_split=0.2"
        )
    return [place for place in found if place is not None]


def _at(base: Path, written: str) -> _Folder | None:
    """The folder or listing at path ``written``, or None. One surplus ``../`` is ignored: some
    exports have it."""
    if not written:
        return None
    for relative in (written, written.removeprefix("../")):
        place = base / relative
        real = _follow(place)
        if os.path.isdir(real) or (is_file(real) and real.suffix.lower() == ".txt"):
            return _Folder(written=place, real=real)
    return None


def _moved(root: Path, written: str, problems: Problems) -> _Folder | None:
    """The folder that the end of a path of another machine leads to: /home/me/set/images/train."""
    parts = path_parts(written)
    ends = [parts[start:] for start in range(1, len(parts))]
    # All images are not those of a split that is missing.
    places = (_at(root, "/".join(end)) for end in ends if end != ["images"])
    found = next(filter(None, places), None)
    if found is not None:
        problems.remark(f"{written} is no path here, so {found.written} was taken")
    return found


def _follow(path: Path) -> Path:
    """``path`` with text-file links resolved.

    Git without symbolic links (and some archives) store a link as a small file that holds the
    target's path.
    """
    here = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        here = here / part
        if is_file(here) and not here.suffix and here.stat().st_size < 1024:
            target = here.parent / here.read_text(encoding="utf-8", errors="replace").strip()
            here = target if os.path.exists(target) else here
    return here


def _label_folder(images: Path) -> Path:
    """The last folder called ``images`` becomes ``labels``; without one, the folder itself."""
    parts = list(images.parts)
    for index in reversed(range(len(parts))):
        if parts[index] == "images":
            parts[index] = "labels"
            return Path(*parts)
    return images


def _entries(sources: list[_Folder], finder: ImageFinder, problems: Problems) -> Iterator[Entry]:
    @cache
    def labels_in(folder: Path) -> dict[str, Path]:
        """By name without suffix; the suffix may have capital letters."""
        found = sorted(folder.iterdir()) if folder.is_dir() else ()
        return {path.stem: path for path in found if path.suffix.lower() == ".txt"}

    seen: dict[Path, Path] = {}
    for source in sources:
        for id_, image, folder in _images(source, len(sources) > 1, finder):
            places = (_label_folder(folder), folder)
            label = next(
                (
                    labels_in(place)[image.stem]
                    for place in places
                    if image.stem in labels_in(place)
                ),
                None,
            )
            if label in seen:
                problems.add(image, f"shares its label file with {seen[label]}")
            if label is not None:
                seen[label] = image
            yield Entry(id=id_, image=image, label=label)
        _note_strangers(source, seen, problems)


def _images(
    source: _Folder, several: bool, finder: ImageFinder
) -> Iterator[tuple[str, Path, Path]]:
    """Id, path, and folder as the data set writes it, of each image."""
    if source.real.is_dir():
        prefix = f"{source.written.name}/" if several else ""
        for image in images_in(source.real):
            inside = image.relative_to(source.real)
            id_ = prefix + inside.with_suffix("").as_posix()
            yield id_, image, source.written / inside.parent
        return
    for line in filter(None, map(str.strip, read_text(source.real).splitlines())):
        beside = source.real.parent / line
        if is_file(beside) and not Path(line).is_absolute():
            yield Path(line).with_suffix("").as_posix(), beside, beside.parent
        else:
            image = finder.find(line)
            yield finder.id_of(image), image, image.parent


def _note_strangers(source: _Folder, seen: dict[Path, Path], problems: Problems) -> None:
    """Published subsets carry labels of images they left out: no reason to stop. But half a
    download looks the same, so it is logged."""
    labels = _label_folder(source.written)
    if labels == source.written or source.real.is_file():
        return  # texts beside images may be anything
    for label in sorted(labels.rglob("*")):
        if label.suffix.lower() == ".txt" and label.name not in NAME_FILES and label not in seen:
            problems.note(label, f"no image of this name in {source.written}")


def _tell_unlabelled(entries: Sequence[Entry], problems: Problems) -> None:
    missing = [entry for entry in entries if entry.label is None]
    if missing:
        problems.remark(
            f"{len(missing)} of {len(entries)} images have no label file ({missing[0].image}, for "
            "example): as YOLO trainers do, they are taken for images without objects. If they are "
            "not labelled yet, move them away, or type data.never_absent=all"
        )
