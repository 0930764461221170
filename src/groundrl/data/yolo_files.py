"""Where a YOLO data set keeps its class names, images and label files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from groundrl.data.detection import images_in
from groundrl.data.problems import Problems
from groundrl.errors import UserError

CONFIG_FILES: Final = tuple(
    f"{stem}.{suffix}" for stem in ("data", "config", "dataset") for suffix in ("yaml", "yml")
)
NAME_FILE: Final = "classes.txt"


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


def find_entries(
    root: Path, split: str | None, problems: Problems
) -> tuple[dict[int, str], list[Entry]]:
    """Class names by id, and the images of the split with their label files. Raises UserError."""
    config_file = next((root / f for f in CONFIG_FILES if (root / f).is_file()), None)
    config = _load_config(config_file) if config_file else {}
    names = _class_names(config, config_file, root)
    return names, list(_entries(_sources(config, root, split), problems))


def _load_config(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(config, dict):
        raise UserError(f"{path}: expected keys such as 'train', 'val' and 'names'.")
    return config


def _class_names(config: dict[str, Any], config_file: Path | None, root: Path) -> dict[int, str]:
    """Class id -> name, from the config (a list or a mapping) or from classes.txt."""
    names = config.get("names")
    source = config_file
    if names is None and (root / NAME_FILE).is_file():
        source = root / NAME_FILE
        names = source.read_text(encoding="utf-8").split("\n")
        names = [name.strip() for name in names if name.strip()]
    if names is None:
        raise UserError(
            f"{root}: no class names found. Write {root / CONFIG_FILES[0]} with a line such as "
            "'names: [cat, dog]'."
        )
    if not isinstance(names, dict | list):
        raise UserError(f"{source}: 'names' must be a list or a mapping, got {names!r}.")
    pairs = names.items() if isinstance(names, dict) else enumerate(names)
    try:
        table = {int(key): name for key, name in pairs}
    except ValueError as error:
        raise UserError(f"{source}: the keys of 'names' must be whole numbers ({error})") from error
    if wrong := [name for name in table.values() if not isinstance(name, str) or not name.strip()]:
        raise UserError(f"{source}: class names must be text, put {wrong[0]!r} into quotes.")
    if len(set(table.values())) < len(table):
        raise UserError(f"{source}: two classes have the same name.")
    return dict(sorted(table.items()))


def _sources(config: dict[str, Any], root: Path, split: str | None) -> list[_Folder]:
    """Where the split's images are: folders, or text files that list images."""
    if split is None:
        written = ["images"]
    elif config.get(split):
        entry = config[split]
        written = [str(item) for item in (entry if isinstance(entry, list) else [entry])]
    else:
        written = [next((f for f in (f"images/{split}", f"{split}/images") if _at(root, f)), "")]
    bases = [root / str(config.get("path") or "."), root]
    found = [next(filter(None, (_at(base, item) for base in bases)), None) for item in written]
    missing = [item for item, place in zip(written, found, strict=True) if place is None]
    if missing:
        known = sorted(key for key in ("train", "val", "test") if config.get(key))
        raise UserError(
            f"{root}: no images for split {split!r} ({missing[0] or f'images/{split}'} does not "
            f"exist). Splits in its config: {', '.join(known) or 'none'}."
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
    # Published subsets carry labels of images they left out. Nothing is trained on wrongly, so
    # the run goes on, but not silently: the same sight may be half a download.
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
