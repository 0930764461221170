"""Tables in files: rows by number, of which only those asked for are in memory."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from groundrl.errors import UserError
from groundrl.files import parse_json

BLOCK: Final = 1 << 24
"""Bytes that are searched for line ends at once."""
MAX_ARRAY: Final = 200 * 2**20
"""Bytes of a JSON array or a CSV file that is read whole; as Python values it takes several times
that."""
SHORT: Final = 16
"""Bytes of a line that may be blank: longer ones are not looked at for that."""
BOM: Final = b"\xef\xbb\xbf"


class UnreadableRowError(ValueError):
    """A row that is damaged: a broken line, or an image that cannot be decoded."""


@runtime_checkable
class Table(Protocol):
    """Rows by number."""

    @property
    def path(self) -> str:
        """The file, folder or hub id."""
        ...

    @property
    def stamp(self) -> str:
        """Changes when the content does."""
        ...

    def __len__(self) -> int: ...
    def row(self, index: int) -> dict[str, Any]:
        """One row. Raises UnreadableRowError."""
        ...

    def where(self, index: int) -> str:
        """The place of a row, for messages: ``train.jsonl:17``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class JsonLines:
    """A JSONL file, of which the places of the lines are in memory: 16 bytes a row."""

    file: Path
    starts: Int64[np.ndarray, " rows"]
    """Offset of each line that is not blank."""
    numbers: Int64[np.ndarray, " rows"]
    """Its number, from 1."""

    @property
    def path(self) -> str:
        """The file."""
        return str(self.file)

    @property
    def stamp(self) -> str:
        """See ``Table``."""
        return file_stamp(self.file)

    def __len__(self) -> int:
        return len(self.starts)

    def row(self, index: int) -> dict[str, Any]:
        """See ``Table``."""
        with self.file.open("rb") as file:
            file.seek(int(self.starts[index]))
            line = file.readline()
        try:
            return _object(parse_json(line.decode("utf-8")))
        except ValueError as error:
            raise UnreadableRowError(str(error)) from None

    def where(self, index: int) -> str:
        """See ``Table``."""
        return f"{self.file}:{self.numbers[index]}"


@dataclass(frozen=True, slots=True, eq=False)
class RowList:
    """Rows in memory."""

    path: str
    stamp: str
    rows: list[Any]

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> dict[str, Any]:
        """See ``Table``."""
        return _object(self.rows[index])

    def where(self, index: int) -> str:
        """See ``Table``."""
        return f"{self.path}: row {index + 1}"


def file_stamp(path: Path) -> str:
    """Path, size and time of the last change."""
    stat = path.stat()
    return f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"


def open_json_lines(path: Path) -> JsonLines:
    """Find the lines of the file; memory does not grow with their length."""
    ends = [np.zeros(0, dtype=np.int64)]
    with path.open("rb") as file:
        first = len(BOM) if file.read(len(BOM)) == BOM else 0
        file.seek(0)
        offset = 0
        while block := file.read(BLOCK):
            ends.append(np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n")) + offset)
            offset += len(block)
        stops = np.concatenate([*ends, [offset]]).astype(np.int64)
        starts = np.concatenate([[first], stops[:-1] + 1]).astype(np.int64)
        blank = np.zeros(len(starts), dtype=bool)
        for index in np.flatnonzero(stops - starts < SHORT):
            file.seek(int(starts[index]))
            blank[index] = not file.read(int(max(0, stops[index] - starts[index]))).strip()
    kept = np.flatnonzero(~blank)
    return JsonLines(path, starts[kept], (kept + 1).astype(np.int64))


def open_file(path: Path) -> Table:
    """The table of a .jsonl, .json or .csv file. Raises UserError."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.suffix == ".csv":
        return RowList(str(path), file_stamp(path), _csv_rows(path))
    if path.suffix == ".jsonl" or _first_byte(path) == b"{":
        return open_json_lines(path)
    return RowList(str(path), file_stamp(path), _array(path))


def _first_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1024).removeprefix(BOM).lstrip()[:1]


def _array(path: Path) -> list[Any]:
    _check_size(path, f"jq -c '.[]' {path} > {path.with_suffix('.jsonl')}")
    try:
        content = parse_json(path.read_bytes().decode("utf-8-sig"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, list):
        raise UserError(f"{path}: expected a JSON list of rows")
    return content


def _csv_rows(path: Path) -> list[Any]:
    """All values are texts; an empty field is None."""
    _check_size(path, f"data.path=<{path.stem} as Parquet or JSONL>")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a CSV file in UTF-8: {error}") from error
    if any(None in row or None in row.values() for row in rows):
        number = next(n for n, row in enumerate(rows, 1) if None in row or None in row.values())
        raise UserError(
            f"{path}: row {number} has another number of fields than the first line names: put "
            "texts with commas or line ends between quotes"
        )
    return [{name: value or None for name, value in row.items()} for row in rows]


def _check_size(path: Path, instead: str) -> None:
    size = path.stat().st_size
    if size > MAX_ARRAY:
        raise UserError(
            f"{path} has {size / 1e6:.0f} MB and would have to be read whole; with one row a line "
            f"it is read row by row: type\n  {instead}"
        )


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableRowError(f"expected an object, got {value!r:.60}")
    return value
