"""Where a YOLO data set keeps its class names, images and label files."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import AfterValidator

from groundrl.data.detection import images_in
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.json_rows import Text, validate

CONFIG_FILES: Final = tuple(
    f"{stem}.{suffix}" for stem in ("data", "config", "dataset") for suffix in ("yaml", "yml")
)
NAME_FILE: Final = "classes.txt"
SPLITS: Final = ("train", "val", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One image and the place of its label file, which need not exist."""

    id: str
    image: Path
    label: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """An image folder; ``written`` is its name in the data set, ``real`` where a link leads."""

    written: Path
    real: Path


def _check_name(name: str) -> str:
    if not name.strip():
        raise ValueError("a class name must not be blank")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    """What data.yaml holds."""

    names: dict[int, Annotated[Text, AfterValidator(_check_name)]] | None = None
    """By class id."""
    path: Text = "."
    """Folder that the paths of ``splits`` start from, itself from the data set's folder."""
    splits: dict[Text, tuple[Text, ...]] = field(default_factory=dict)
    """Folders of images, or text files that list images."""


def find_entries(
    root: Path, split: str | None, problems: Problems
) -> tuple[dict[int, str], list[Entry]]:
    """Class names by id, and the images of the split with their label files. Raises UserError."""
    config_file = next((root / f for f in CONFIG_FILES if (root / f).is_file()), None)
    config = _read_config(config_file, split) if config_file else _Config()
    names = _read_names(root) if config.names is None else config.names
    if len(set(names.values())) < len(names):
        raise UserError(f"{config_file or root / NAME_FILE}: two classes have the same name.")
    return dict(sorted(names.items())), list(_entries(_sources(config, root, split), problems))


def _read_config(path: Path, split: str | None) -> _Config:
    """Raises UserError with all problems."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected keys such as 'train', 'val' and 'names'.")
    names = value.get("names")
    splits = {key: value[key] for key in (*SPLITS, split) if value.get(key)}
    shaped = {
        "names": dict(enumerate(names)) if isinstance(names, list) else names,
        "path": value.get("path") or ".",
        "splits": {key: [one] if isinstance(one, str) else one for key, one in splits.items()},
    }
    try:
        return validate(_Config, shaped)
    except ValueError as error:
        raise UserError(
            f"{path}: {error}. Write it so: names: [cat, dog], train: images/train. Text that YAML "
            "reads as a number, a date or true and false needs quotes: names: ['no', '7']."
        ) from error


def _read_names(root: Path) -> dict[int, str]:
    """Class names from classes.txt, one a line."""
    path = root / NAME_FILE
    if not path.is_file():
        raise UserError(
            f"{root}: no class names found. Write {root / CONFIG_FILES[0]} with a line such as "
            "'names: [cat, dog]'."
        )
    lines = (line.strip() for line in path.read_text(encoding="utf-8").split("\n"))
    return dict(enumerate(line for line in lines if line))


def _sources(config: _Config, root: Path, split: str | None) -> list[_Folder]:
    """Where the split's images are: folders, or text files that list images."""
    if split is None:
        written = ("images",)
    elif split in config.splits:
        written = config.splits[split]
    else:
        written = (next((f for f in (f"images/{split}", f"{split}/images") if _at(root, f)), ""),)
    bases = [root / config.path, root]
    found = [next(filter(None, (_at(base, item) for base in bases)), None) for item in written]
    missing = [item for item, place in zip(written, found, strict=True) if place is None]
    if missing:
        raise UserError(
            f"{root}: no images for split {split!r} ({missing[0] or f'images/{split}'} does not "
            f"exist). Splits in its config: {', '.join(sorted(config.splits)) or 'none'}."
        )
    return [place for place in found if place is not None]


def _at(base: Path, written: str) -> _Folder | None:
    """The place ``written`` names, or None. Exports with one ``../`` too many are understood."""
    if not written:
        return None
    for relative in (written, written.removeprefix("../")):
        place = base / relative
        real = _follow(place)
        if real.is_dir() or (real.is_file() and real.suffix == ".txt"):
            return _Folder(written=place, real=real)
    return None


def _follow(path: Path) -> Path:
    """``path`` with text-file links resolved.

    Git without symbolic links (and some archives) store a link as a small file that holds the
    target's path.
    """
    here = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        here = here / part
        if here.is_file() and not here.suffix and here.stat().st_size < 1024:
            target = here.parent / here.read_text(encoding="utf-8", errors="replace").strip()
            here = target if target.exists() else here
    return here


def _label_folder(images: Path) -> Path:
    """The last folder called ``images`` becomes ``labels``; without one, the folder itself."""
    parts = list(images.parts)
    for index in reversed(range(len(parts))):
        if parts[index] == "images":
            parts[index] = "labels"
            return Path(*parts)
    return images


def _entries(sources: list[_Folder], problems: Problems) -> Iterator[Entry]:
    seen: dict[Path, Path] = {}
    for source in sources:
        if source.real.is_dir():
            entries = _folder_entries(source, len(sources) > 1, problems)
        else:
            entries = _listed_entries(source.real)
        for entry in entries:
            if entry.label in seen:
                problems.add(entry.image, f"shares its label file with {seen[entry.label]}")
            seen[entry.label] = entry.image
            yield entry


def _folder_entries(source: _Folder, several: bool, problems: Problems) -> list[Entry]:
    labels = _label_folder(source.written)
    prefix = f"{source.written.name}/" if several else ""
    entries = []
    for image in images_in(source.real):
        inside = image.relative_to(source.real).with_suffix("")
        label = labels / inside.parent / f"{inside.name}.txt"
        entries.append(Entry(id=prefix + inside.as_posix(), image=image, label=label))
    # Published subsets carry labels of images they left out: no reason to stop. But half a download
    # looks the same, so it is logged.
    known = {entry.label for entry in entries}
    for label in sorted(labels.rglob("*.txt")):
        if label not in known and label.name != NAME_FILE:
            problems.note(label, f"no image of this name in {source.written}")
    return entries


def _listed_entries(listing: Path) -> list[Entry]:
    entries = []
    for line in listing.read_text(encoding="utf-8").splitlines():
        if line.strip():
            image = listing.parent / line.strip()
            label = _label_folder(image.parent) / f"{image.stem}.txt"
            inside = Path(line.strip()).with_suffix("").as_posix()
            entries.append(Entry(id=inside.removeprefix("./"), image=image, label=label))
    return entries
