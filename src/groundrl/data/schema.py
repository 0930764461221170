"""Samples on disk: JSONL and Parquet with the same columns.

Columns: id, image (path from the file's folder), question, options, answers, groundings
(label, box = x1, y1, x2, y2 in pixels), rationale (pieces that are either text, or label and box),
kind, context_images (further such paths), provenance (dataset, split, licence, source).
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from groundrl.boxes import Frame
from groundrl.data.image_files import check_images
from groundrl.data.problems import Problems
from groundrl.data.rows import SampleRow, to_sample, without_nulls
from groundrl.errors import UserError
from groundrl.files import json_lines, replace_file
from groundrl.json_rows import read_rows
from groundrl.records import Grounding, ImageFile, ImageSource, Sample, Segments

_BOX: Final = pa.list_(pa.float64(), 4)
ARROW_SCHEMA: Final = pa.schema(
    {
        "id": pa.string(),
        "image": pa.string(),
        "question": pa.string(),
        "options": pa.list_(pa.string()),
        "answers": pa.list_(pa.string()),
        "groundings": pa.list_(pa.struct({"label": pa.string(), "box": _BOX})),
        "rationale": pa.list_(pa.struct({"text": pa.string(), "label": pa.string(), "box": _BOX})),
        "kind": pa.string(),
        "context_images": pa.list_(pa.string()),
        "provenance": pa.struct(
            {
                "dataset": pa.string(),
                "split": pa.string(),
                "licence": pa.string(),
                "source": pa.string(),
            }
        ),
    }
)


def write_jsonl(samples: Iterable[Sample], path: str | Path) -> None:
    """One JSON object a line; images that are not files are saved to ``images/`` beside it."""
    target = Path(path).expanduser()
    rows = to_rows(samples, target.parent)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    with replace_file(target) as partial:
        partial.write_bytes(text.encode())


def write_parquet(samples: Iterable[Sample], path: str | Path) -> None:
    """The same rows in a Parquet file."""
    target = Path(path).expanduser()
    table = pa.Table.from_pylist(to_rows(samples, target.parent), schema=ARROW_SCHEMA)
    with replace_file(target) as partial:
        pq.write_table(table, partial)


def read_jsonl(
    path: str | Path, *, skip_unreadable: bool = False, skip_option: str = ""
) -> list[Sample]:
    """Read ``write_jsonl``'s format. ``skip_unreadable``: leave out and log lines that are no JSON
    and samples without a whole image; ``skip_option``: what to type for that.

    Raises UserError that lists every broken line.
    """
    source = Path(path).expanduser()
    if not source.is_file():
        raise UserError(f"{source}: no such file. Give a JSONL file of samples.")
    problems = Problems(str(source), skip_unreadable, skip_option)
    return _read(source, json_lines(source, source.read_bytes()), problems)


def read_parquet(
    path: str | Path, *, skip_unreadable: bool = False, skip_option: str = ""
) -> list[Sample]:
    """Read ``write_parquet``'s format, as ``read_jsonl`` does. Raises UserError that lists every
    broken row (from 1)."""
    source = Path(path).expanduser()
    if not source.is_file():
        raise UserError(f"{source}: no such file. Give a Parquet file of samples.")
    try:
        rows = pq.read_table(source).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{source} is not a Parquet file: {error}") from error
    numbered = ((f"{source}: row {number}", row) for number, row in enumerate(rows, start=1))
    return _read(source, numbered, Problems(str(source), skip_unreadable, skip_option))


def to_rows(samples: Iterable[Sample], folder: Path) -> list[dict[str, Any]]:
    """Plain rows for a file in ``folder``. Raises ValueError for a box outside the PIXEL frame."""
    folder.mkdir(parents=True, exist_ok=True)
    saved: dict[str, str] = {}
    return [to_row(sample, folder, saved) for sample in samples]


def to_row(sample: Sample, folder: Path, saved: dict[str, str]) -> dict[str, Any]:
    """One sample as plain values. ``saved`` maps the keys of images to their paths from
    ``folder``; new images are added."""
    for image in sample.images:
        if image.key not in saved:
            saved[image.key] = save_image(image, folder)
    row: dict[str, Any] = {
        "id": sample.id,
        "image": saved[sample.image.key],
        "context_images": [saved[image.key] for image in sample.context_images],
        "question": sample.question,
        "options": list(sample.options),
        "answers": list(sample.answers),
        "groundings": [_grounding_row(item) for item in sample.groundings],
        "kind": sample.kind,
        "provenance": {
            "dataset": sample.provenance.dataset,
            "split": sample.provenance.split,
            "licence": sample.provenance.licence,
        },
    }
    if sample.provenance.source:
        row["provenance"]["source"] = sample.provenance.source
    if sample.rationale is not None:
        row["rationale"] = _rationale_row(sample.rationale)
    return row


def _rationale_row(rationale: Segments) -> list[dict[str, Any]]:
    return [{"text": part} if isinstance(part, str) else _grounding_row(part) for part in rationale]


def _grounding_row(item: Grounding) -> dict[str, Any]:
    if item.box.frame is not Frame.PIXEL:
        raise ValueError(f"files hold PIXEL boxes, {item.label!r} has a {item.box.frame} box")
    return {"label": item.label, "box": list(item.box.corners)}


def save_image(image: ImageSource, folder: Path) -> str:
    """Returns the image's path from ``folder``. An image that is not a file yet, or whose name is
    not UTF-8, is saved there as a PNG."""
    if isinstance(image, ImageFile):
        path = Path(os.path.relpath(image.path.resolve(), folder.resolve())).as_posix()
        if path == path.encode(errors="ignore").decode():
            return path
    name = hashlib.blake2b(image.key.encode(), digest_size=10).hexdigest()
    target = folder / "images" / f"{name}.png"
    if not target.exists():  # equal keys, equal pixels; a file there is whole
        with replace_file(target) as partial:
            image.load().save(partial, format="PNG")
    return f"images/{name}.png"


def _read(source: Path, numbered: Iterable[tuple[str, Any]], problems: Problems) -> list[Sample]:
    """Samples of rows (place, value); a value that is a ValueError is a row that cannot be read."""
    rows = list(read_rows(_whole(numbered, problems), SampleRow, problems.add))
    folder = source.parent.resolve()
    shown = [
        [Path(os.path.normpath(folder / name)) for name in (row.image, *row.context_images)]
        for _, row in rows
    ]
    checked = check_images(chain.from_iterable(shown))
    samples = _samples(rows, [[checked[path] for path in paths] for paths in shown], problems)
    if not samples and not problems.found:
        problems.add(source, "no samples")
    problems.raise_if_any()
    return samples


def _whole(numbered: Iterable[tuple[str, Any]], problems: Problems) -> Iterator[tuple[str, Any]]:
    for where, value in numbered:
        if isinstance(value, ValueError):
            problems.unreadable(where, str(value))
        else:
            yield where, without_nulls(value)


def _samples(
    rows: Sequence[tuple[str, SampleRow]],
    checked: Sequence[Sequence[ImageFile | str]],
    problems: Problems,
) -> list[Sample]:
    first: dict[str, str] = {}
    samples = []
    for (where, row), found in zip(rows, checked, strict=True):
        if row.id in first:
            problems.add(where, f"id {row.id!r} is already used at {first[row.id]}")
        first[row.id] = where
        for name, file in zip((row.image, *row.context_images), found, strict=True):
            if isinstance(file, str):
                problems.unreadable(where, f"image {name!r}: {file}")
        images = [file for file in found if isinstance(file, ImageFile)]
        if len(images) < len(found):
            continue
        try:
            samples.append(to_sample(row, images))
        except ValueError as error:
            problems.add(where, str(error))
    return samples
