"""Published data sets as tables of the hub: Parquet files whose rows hold question and image."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from groundrl.data.problems import Problems
from groundrl.data.tables.hub import open_parquet, parquet_columns
from groundrl.data.tables.images import ImageFolder, RowImage
from groundrl.errors import UserError
from groundrl.published.files import Download, glob_all
from groundrl.records import Sample

IMAGE: Final = "image"
"""Column of the image: bytes, or the name of a file."""


def find_tables(root: str | None, download: Download, splits: Sequence[str]) -> tuple[Path, ...]:
    """The Parquet files of a data set: ``root`` itself, or those below it with its columns.

    Empty where ``root`` holds the published files. Raises UserError for a Parquet file with other
    columns, and where several folders below ``root`` could be meant.
    """
    if root is None or not download.columns:
        return ()
    place = Path(root).expanduser()
    if place.suffix == ".parquet":
        return (_checked(place, download),)
    if any(glob_all(place, pattern) for pattern in download.parts):
        return ()
    fitting: dict[Path, int] = {}
    for file in sorted(place.glob("**/*.parquet")):
        if file.name.startswith(tuple(splits)) and set(download.columns) <= (
            columns := parquet_columns(file)
        ):
            fitting[file] = len(columns)
    # Another data set may have the same columns and more: the one with the fewest is meant.
    found = [file for file, count in fitting.items() if count == min(fitting.values())]
    first = next((s for s in splits if any(file.name.startswith(s) for file in found)), "")
    found = [file for file in found if file.name.startswith(first)]
    folders = sorted({file.parent for file in found})
    if len(folders) > 1:
        listed = "".join(f"\n  {folder}" for folder in folders)
        raise UserError(
            f"{download.name}: several folders below {place} hold Parquet files with its columns; "
            f"type data.root=<one of them>:{listed}"
        )
    return tuple(found)


def _checked(file: Path, download: Download) -> Path:
    if not file.is_file():
        raise UserError(f"{download.name}: {file}: no such file")
    columns = parquet_columns(file)
    absent = [name for name in download.columns if name not in columns]
    if absent:
        raise UserError(
            f"{download.name}: {file} lacks the columns {', '.join(absent)}; it has "
            f"{', '.join(sorted(columns))}"
        )
    return file


def read_table(
    files: Sequence[Path],
    read: Callable[[int, Mapping[str, Any]], Iterable[Sample]],
    problems: Problems,
) -> Iterator[tuple[Sample, bool]]:
    """The questions of all rows, and whether each has its image; else the row names a file.

    ``read``: the questions of a row, by its number from 0 on. Damaged rows are added to
    ``problems``.
    """
    table = open_parquet(files)
    folder = ImageFolder(root=None)
    for number in range(len(table)):
        row = table.row(number)
        value = row[IMAGE]
        try:
            samples = list(read(number, row))
            if not samples:
                continue
            if isinstance(value, str):
                yield from ((sample, False) for sample in samples)
                continue
            held = folder.open(value, whole=False)
        except ValueError as error:
            problems.add(table.where(number), str(error))
            continue
        image = RowImage(
            table=table,
            row=number,
            column=IMAGE,
            key=held.key,
            width=held.width,
            height=held.height,
        )
        yield from ((replace(sample, image=image), True) for sample in samples)
