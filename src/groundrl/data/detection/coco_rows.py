"""Rows of COCO and LVIS annotation files."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from groundrl.data.detection.listed import ListedBox, ListedImage
from groundrl.data.detection.masks import box_of_segmentation, is_number
from groundrl.data.detection.shapes import Corners
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import read_json

TABLES: Final = ("images", "categories", "annotations")
NO_CLASS: Final = ("", "none")
"""Values of ``supercategory`` that name nothing."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoTables:
    """One annotation file. Ids are texts: files mix 1 and "1"."""

    path: Path
    images: dict[str, tuple[str, Row]]
    """By id, with the place in the file."""
    names: dict[str, str]
    """Class names by id."""
    wider: dict[str, frozenset[str]]
    """Class -> its supercategory."""
    annotations: list[tuple[str, Row]]
    licences: dict[str, str]


def load_tables(path: Path, problems: Problems) -> CocoTables:
    """The well-formed rows; others become problems. Raises UserError for a file of another kind."""
    content = read_json(path)
    if not isinstance(content, dict) or not all(
        isinstance(content.get(table), list) for table in TABLES
    ):
        raise UserError(f"{path}: expected the lists {', '.join(TABLES)} (COCO instances format).")
    images = _by_id(path, "images", content, problems)
    categories = {
        id_: row
        for id_, (where, row) in _by_id(path, "categories", content, problems).items()
        if _is_named(where, row, problems)
    }
    found = content.get("licenses")
    licences = {
        _id(row.get("id")): row["name"]
        for row in (found if isinstance(found, list) else [])
        if isinstance(row, dict) and isinstance(row.get("name"), str)
    }
    return CocoTables(
        path=path,
        images={
            id_: (at, row) for id_, (at, row) in images.items() if _has_file(at, row, problems)
        },
        names={id_: row["name"].strip() for id_, row in categories.items()},
        wider={
            row["name"].strip(): frozenset({wide.strip()})
            for row in categories.values()
            if isinstance(wide := row.get("supercategory"), str)
            and wide.strip().lower() not in NO_CLASS
            and wide.strip() != row["name"].strip()
        },
        annotations=list(_rows(path, "annotations", content, problems)),
        licences={id_: name for id_, name in licences.items() if id_ is not None},
    )


def list_images(
    tables: CocoTables, problems: Problems, looked_for: Collection[str] | None
) -> Iterator[ListedImage]:
    """The images with their boxes. ``looked_for``: the classes of this file; None if the whole data
    set has no others."""
    boxes: dict[str, list[ListedBox]] = defaultdict(list)
    uncounted: dict[str, set[str]] = defaultdict(set)
    for where, row in tables.annotations:
        try:
            image = _known(row, "image_id", tables.images)
            name = tables.names[_known(row, "category_id", tables.names)]
            if _flag(row, "iscrowd") or _flag(row, "ignore"):
                uncounted[image].add(name)
            else:
                boxes[image].append(ListedBox(label=name, corners=_corners(row), where=where))
        except ValueError as error:
            problems.add(where, str(error))
    for id_, (where, row) in tables.images.items():
        exhaustive = row.get("neg_category_ids")
        denied = looked_for if exhaustive is None else _names(exhaustive, tables)
        partly = _names(row.get("not_exhaustive_category_ids"), tables)
        yield ListedImage(
            file=_file(row),
            where=where,
            size=_size(row),
            boxes=boxes[id_],
            uncounted=frozenset(uncounted[id_] | partly),
            denied=None if denied is None else frozenset(denied),
            licence=tables.licences.get(_id(row.get("license")) or ""),
        )


def _by_id(path: Path, table: str, content: Row, problems: Problems) -> dict[str, tuple[str, Row]]:
    rows: dict[str, tuple[str, Row]] = {}
    for where, row in _rows(path, table, content, problems):
        id_ = _id(row.get("id"))
        if id_ is None:
            problems.add(where, f"'id' must be a whole number or a text, got {row.get('id')!r:.60}")
        elif id_ in rows:
            problems.add(where, f"has the id of {rows[id_][0]}")
        else:
            rows[id_] = (where, row)
    return rows


def _rows(path: Path, table: str, content: Row, problems: Problems) -> Iterator[tuple[str, Row]]:
    for index, row in enumerate(content[table]):
        where = f"{path}: {table}[{index}]"
        if isinstance(row, dict):
            yield where, row
        else:
            problems.add(where, f"expected an object, got {row!r:.60}")


def _is_named(where: str, row: Row, problems: Problems) -> bool:
    named = isinstance(row.get("name"), str) and bool(row["name"].strip())
    if not named:
        problems.add(where, f"'name' must be a text, got {row.get('name')!r:.60}")
    return named


def _has_file(where: str, row: Row, problems: Problems) -> bool:
    known = bool(_file(row))
    if not known:
        problems.add(where, "has no 'file_name'")
    return known


def _file(row: Row) -> str:
    """``file_name``; LVIS has an address instead, which ends with folder and name."""
    name, address = row.get("file_name"), row.get("coco_url")
    if isinstance(name, str) and name.strip():
        return name
    return "/".join(address.split("/")[-2:]) if isinstance(address, str) else ""


def _size(row: Row) -> tuple[object, object] | None:
    size = tuple(
        int(side) if isinstance(side, str) and side.isdecimal() else side
        for side in (row.get("width"), row.get("height"))
    )
    return None if None in size or size == (0, 0) else (size[0], size[1])


def _id(value: object) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    known = isinstance(value, int | str) and not isinstance(value, bool)
    return str(value).strip() if known else None


def _known(row: Row, key: str, table: Collection[str]) -> str:
    id_ = _id(row.get(key))
    if id_ is None or id_ not in table:
        raise ValueError(f"{key} {row.get(key)!r:.60} is not defined in this file")
    return id_


def _names(ids: object, tables: CocoTables) -> set[str]:
    known = (_id(one) for one in ids) if isinstance(ids, list) else ()
    return {tables.names[id_] for id_ in known if id_ in tables.names}


def _flag(row: Row, key: str) -> bool:
    """0 or 1, as a number or a text, true or false; false where it is not given. Raises
    ValueError."""
    value = row.get(key)
    text = value.strip().lower() if isinstance(value, str) else value
    if text in (None, "", 0, "0", "0.0", "false"):
        return False
    if text in (1, "1", "1.0", "true"):
        return True
    raise ValueError(f"{key} must be 0 or 1, got {value!r:.60}")


def _corners(row: Row) -> Corners:
    """Of ``bbox``; of ``segmentation`` where there is no box, or one without area."""
    box, mask = row.get("bbox"), row.get("segmentation")
    if isinstance(box, list) and box:
        if len(box) != 4 or not all(map(is_number, box)):
            raise ValueError(f"bbox must be [x, y, width, height], got {box}")
        x, y, width, height = map(float, box)
        if not mask or width or height:
            return x, y, x + width, y + height
    elif box not in (None, []):
        raise ValueError(f"bbox must be [x, y, width, height], got {box!r:.60}")
    if not mask:
        raise ValueError("has neither bbox nor segmentation")
    return box_of_segmentation(mask)
