"""The files of a run: samples as JSONL and Parquet, and everything known of each image."""

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from groundrl.data.schema import ARROW_SCHEMA, to_row
from groundrl.errors import UserError
from groundrl.files import PARTIAL, partial_path
from groundrl.records import Sample

IMAGES_FILE: Final = "images.jsonl"
SPLITS: Final = ("train", "heldout")
CARD: Final = "README.md"
LEFT_OUT_FILE: Final = "left_out.txt"
LOCK: Final = ".lock"
ROWS: Final = 500
"""Samples of a Parquet row group."""


class _Lines:
    """A JSONL file."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")

    def add(self, row: Mapping[str, Any]) -> None:
        # Escaped: file names need not be UTF-8.
        self._file.write(json.dumps(row).encode() + b"\n")

    def close(self) -> None:
        self._file.close()


@dataclass(slots=True)
class _Shards:
    """Parquet files of ``size`` samples each."""

    folder: Path
    split: str
    size: int
    written: int = 0
    shards: list[Path] = field(default_factory=list)
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _writer: pq.ParquetWriter | None = None

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self.written += 1
        if len(self._rows) == ROWS or self.written % self.size == 0:
            self._flush()
        if self.written % self.size == 0:
            self.close()

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            name = f"{self.split}-{len(self.shards):05}.parquet"
            self.shards.append(self.folder / name)
            self._writer = pq.ParquetWriter(partial_path(self.shards[-1]), ARROW_SCHEMA)
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=ARROW_SCHEMA))
        self._rows = []

    def close(self) -> None:
        try:
            self._flush()
        finally:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()


class Writer:
    """Writes as images come, in constant memory. Files get their names when all of them are
    whole; until then those of an earlier run stay."""

    def __init__(self, folder: Path, shard_size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # The first table imports pandas: seconds in which a server would stand idle later.
        pa.Table.from_pylist([], schema=ARROW_SCHEMA)
        if shard_size < 1:
            raise UserError(f"shard_size={shard_size}: type shard_size=10000, or any from 1 on")
        _refuse_others_files(folder)
        self._lock = _lock(folder)
        for left_behind in _left_behind(folder):
            left_behind.unlink()
        self.folder = folder
        self._files = [folder / name for name in (IMAGES_FILE, *(f"{s}.jsonl" for s in SPLITS))]
        self._images, *lines = [_Lines(partial_path(path)) for path in self._files]
        self._lines: dict[str, _Lines] = dict(zip(SPLITS, lines, strict=True))
        self._shards: dict[str, _Shards] = {
            split: _Shards(folder=folder, split=split, size=shard_size) for split in SPLITS
        }

    def add(self, record: Mapping[str, Any], samples: Sequence[Sample], split: str) -> str | None:
        """One image: what is known of it, and its samples. Returns the image's path from the
        folder, where it has samples."""
        saved: dict[str, str] = {}
        for sample in samples:
            row = to_row(sample, self.folder, saved)
            self._lines[split].add(row)
            self._shards[split].add(row)
        image = next(iter(saved.values()), None)
        self._images.add({**record, "image": image})
        return image

    def finish(self) -> None:
        """Give all files their names; shards that an earlier run had beyond ours go."""
        for one in self._open:
            one.close()
        shards = [path for one in self._shards.values() for path in one.shards]
        for path in (*shards, *self._files):
            partial_path(path).replace(path)
        for split in SPLITS:
            for path in _shards(self.folder, split):
                if path not in shards:
                    path.unlink()

    @property
    def _open(self) -> "tuple[_Lines | _Shards, ...]":
        return (self._images, *self._lines.values(), *self._shards.values())

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            # Buffers of a full disk cannot be emptied; what went wrong is told already, and what is
            # left open would tell it again.
            for one in self._open:
                with suppress(OSError):
                    one.close()
            for left_behind in _left_behind(self.folder):
                left_behind.unlink()
            self._lock.close()


def _shards(folder: Path, split: str) -> Iterator[Path]:
    yield from folder.glob(f"{split}-[0-9][0-9][0-9][0-9][0-9].parquet")


def _refuse_others_files(folder: Path) -> None:
    """Raises UserError where a file would be lost that no run has written."""
    if (folder / LOCK).exists():
        return
    names = [IMAGES_FILE, CARD, *(f"{split}.jsonl" for split in SPLITS)]
    found = [name for name in names if (folder / name).exists()]
    found += [path.name for split in SPLITS for path in _shards(folder, split)]
    if found:
        raise UserError(
            f"{folder} holds files of somebody else ({', '.join(found)}): type output_dir=<a new "
            "folder>"
        )


def _lock(folder: Path) -> BinaryIO:
    """Held until it is closed, or its process ends. Raises UserError where another run holds it."""
    file = (folder / LOCK).open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise UserError(
            f"{folder}: another run is writing here; wait for it, or type output_dir=<folder>"
        ) from error
    return file


def _left_behind(folder: Path) -> Iterator[Path]:
    """What a killed run was writing."""
    yield from folder.glob(f".*{PARTIAL}")
    yield from (folder / "images").glob(f".*{PARTIAL}")
