"""Tables that the ``datasets`` library opens: hub ids, folders in the hub's layout, Parquet."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, IterableDataset, load_dataset
from datasets.exceptions import DatasetsError

from groundrl.data.tables.files import Table, file_stamp, open_file
from groundrl.errors import UserError

FILES: Final = (".jsonl", ".json", ".csv")
"""Endings of files that are read row by row."""
_HUB_ID: Final = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True, slots=True, eq=False)
class HubTable:
    """Rows of an Arrow table on disk, which is mapped into memory; images stay encoded."""

    path: str
    data: Dataset
    split: str

    @property
    def stamp(self) -> str:
        """See ``Table``; the library names its files after the content."""
        return " ".join(file_stamp(Path(file["filename"])) for file in self.data.cache_files)

    def __len__(self) -> int:
        return len(self.data)

    def row(self, index: int) -> dict[str, Any]:
        """See ``Table``."""
        # As Arrow (``_load``): the library would decode images.
        table: Any = self.data[index : index + 1]
        return table.to_pylist()[0]

    def where(self, index: int) -> str:
        """See ``Table``."""
        return f"{self.path}, split {self.split}: row {index + 1}"


def open_table(
    path: str, split: str | None, *, config: str | None, stream_rows: int | None
) -> Table:
    """The rows of a file, a folder in the hub's layout or a hub id.

    ``split``: of folders and hub ids. ``config``: name of one of the tables of a hub id.
    ``stream_rows``: fetch only the first so many rows. Raises UserError.
    """
    place = Path(path).expanduser()
    if place.suffix in FILES:
        return open_file(place)
    if place.is_dir():
        return _load(str(place), split, stream_rows, name=config)
    if place.suffix == ".parquet":
        if not place.is_file():
            raise UserError(f"{place}: no such file")
        return open_parquet([place], stream_rows)
    if place.exists() or not _HUB_ID.fullmatch(path):
        raise UserError(
            f"data.path={path} is no folder and no file of a known kind. Type a hub id "
            f"(owner/name), a folder, or a file that ends in {', '.join((*FILES, '.parquet'))}"
        )
    return _load(path, split, stream_rows, name=config)


def open_parquet(files: Sequence[Path], stream_rows: int | None = None) -> HubTable:
    """The rows of some files of equal columns, one after the other. Raises UserError."""
    names = [str(file) for file in files]
    path = names[0] if len(files) == 1 else str(files[0].parent)
    for file in files:
        parquet_columns(file)
    data = _load("parquet", "train", stream_rows, data_files=names)
    return HubTable(path, data.data, "train")


def parquet_columns(file: Path) -> frozenset[str]:
    """Names of the columns; of the file only its end is read. Raises UserError."""
    try:
        return frozenset(pq.read_schema(file).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{file} cannot be opened as Parquet, get it again: {error}") from error


def _load(path: str, split: str | None, stream_rows: int | None, **options: Any) -> HubTable:
    """Raises UserError for what the library cannot find or read."""
    try:
        found = load_dataset(path, split=split, streaming=stream_rows is not None, **options)
        if stream_rows is not None:
            found = _fetch(found, stream_rows)
    # Of the library: no such data set, no such split, several configs, no connection, damage.
    except (DatasetsError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"data.path={path}, split {split} cannot be opened: {reason}\n"
            "Type data.split=<split>, data.config=<table>, or data.path=<folder or file>"
        ) from error
    if not isinstance(found, Dataset):
        raise UserError(f"data.path={path} has several splits: type data.split=<one of them>")
    return HubTable(path, found.with_format("arrow"), split or "all")


def _fetch(stream: Any, rows: int) -> Any:
    """The first rows of a stream as a table on disk."""
    if not isinstance(stream, IterableDataset):
        return stream
    taken = stream.take(rows)
    return Dataset.from_generator(lambda: iter(taken), features=stream.features, streaming=False)
