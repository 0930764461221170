"""Writes the data files of a run: samples as JSONL and Parquet, and one record per image."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
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
SKIPPED_FILE: Final = "skipped.txt"
STARTED: Final = ".synthesis"
"""Marks a folder whose data files a run has written, or is about to."""
ROW_GROUP_SIZE: Final = 500
"""Samples per Parquet row group."""


class _JsonlFile:
    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")

    def add(self, row: Mapping[str, Any]) -> None:
        # json.dumps escapes non-ASCII characters: file names need not be UTF-8.
        self._file.write(json.dumps(row).encode() + b"\n")

    def close(self) -> None:
        self._file.close()


@dataclass(slots=True)
class _ParquetShards:
    """Parquet files of ``size`` samples each."""

    folder: Path
    split: str
    size: int
    written: int = 0
    paths: list[Path] = field(default_factory=list)
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _writer: pq.ParquetWriter | None = None

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self.written += 1
        if len(self._rows) == ROW_GROUP_SIZE or self.written % self.size == 0:
            self._flush()
        if self.written % self.size == 0:
            self.close()

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            name = f"{self.split}-{len(self.paths):05}.parquet"
            self.paths.append(self.folder / name)
            self._writer = pq.ParquetWriter(partial_path(self.paths[-1]), ARROW_SCHEMA)
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=ARROW_SCHEMA))
        self._rows = []

    def close(self) -> None:
        try:
            self._flush()
        finally:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()


class DatasetWriter:
    """Writes samples and image records as they come, in constant memory.

    All files are written under partial names until ``finish`` renames them: until then the files of
    an earlier run stay.
    """

    def __init__(self, folder: Path, shard_size: int) -> None:
        """Opens the files."""
        self.folder = folder
        self._files = [folder / name for name in (IMAGES_FILE, *(f"{s}.jsonl" for s in SPLITS))]
        self._images, *samples = [_JsonlFile(partial_path(path)) for path in self._files]
        self._samples: dict[str, _JsonlFile] = dict(zip(SPLITS, samples, strict=True))
        self._shards: dict[str, _ParquetShards] = {
            split: _ParquetShards(folder=folder, split=split, size=shard_size) for split in SPLITS
        }

    def add(self, record: Mapping[str, Any], samples: Sequence[Sample], split: str) -> str | None:
        """Write the record and the samples of one image.

        Returns the path of the image file relative to the folder; None where it has no samples.
        """
        saved: dict[str, str] = {}
        for sample in samples:
            row = to_row(sample, self.folder, saved)
            self._samples[split].add(row)
            self._shards[split].add(row)
        image = next(iter(saved.values()), None)
        self._images.add({**record, "image": image})
        return image

    def finish(self) -> None:
        """Give all files their names; surplus shards of an earlier run are deleted."""
        for file in self._open_files:
            file.close()
        shards = [path for one in self._shards.values() for path in one.paths]
        for path in (*shards, *self._files):
            partial_path(path).replace(path)
        for path in _find_shards(self.folder):
            if path not in shards:
                path.unlink()

    def close(self) -> None:
        """Close all files. Errors are ignored: a full disk was reported before, and buffers that
        cannot be flushed would report it again."""
        for file in self._open_files:
            with suppress(OSError):
                file.close()

    @property
    def _open_files(self) -> "tuple[_JsonlFile | _ParquetShards, ...]":
        return (self._images, *self._samples.values(), *self._shards.values())


@contextmanager
def open_writer(folder: Path, shard_size: int) -> Iterator[DatasetWriter]:
    """A writer for ``folder``; its files get their names when the block ends without an error.

    The caller has locked the folder. Raises UserError where files would be overwritten
    that no run has written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The first table imports pandas, which takes seconds in which a model server would be idle.
    pa.Table.from_pylist([], schema=ARROW_SCHEMA)
    if shard_size < 1:
        raise UserError(f"shard_size={shard_size}: type shard_size=10000, or any from 1 on")
    _check_no_foreign_files(folder)
    (folder / STARTED).touch()
    with ExitStack() as stack:
        _delete_partial_files(folder)
        stack.callback(_delete_partial_files, folder)
        writer = stack.enter_context(closing(DatasetWriter(folder, shard_size)))
        yield writer
        writer.finish()


def _find_shards(folder: Path) -> Iterator[Path]:
    for split in SPLITS:
        yield from folder.glob(f"{split}-[0-9][0-9][0-9][0-9][0-9].parquet")


def _check_no_foreign_files(folder: Path) -> None:
    """Raises UserError where a file would be overwritten that no run has written."""
    if (folder / STARTED).exists():
        return
    names = [IMAGES_FILE, CARD, *(f"{split}.jsonl" for split in SPLITS)]
    found = [name for name in names if (folder / name).exists()]
    found += [path.name for path in _find_shards(folder)]
    if found:
        raise UserError(
            f"{folder} holds files that no run has written ({', '.join(found)}): type "
            "output_dir=<a new folder>"
        )


def _delete_partial_files(folder: Path) -> None:
    """Delete what an interrupted run has left."""
    for path in (*folder.glob(f".*{PARTIAL}"), *(folder / "images").glob(f".*{PARTIAL}")):
        path.unlink()
