"""Samples of a table, read when they are asked for, and what is known of them before."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Int64

from groundrl.boxes import Frame
from groundrl.data.datasets import SampleList
from groundrl.data.formats.base import UndeclaredFrameError, UnusableRowError, explain_frames
from groundrl.data.problems import Problems
from groundrl.data.tables.files import Table, UnreadableRowError
from groundrl.data.tables.images import ImageBytes, MissingImageError
from groundrl.data.tables.reader import OtherFrameError, RowReader
from groundrl.errors import UserError
from groundrl.records import ImageSource, NamedImage, Sample

MAX_PROBLEMS: Final = 1000
"""Problems after which no more rows are looked at."""
_OPTIONS: Final = {"unreadable": "unreadable", "image missing": "missing"}
"""Reason of a row that is left out -> the option that does so; of all others, unusable."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowSamples:
    """The samples of some rows of a table; only the rows of a step are in memory."""

    table: Table
    reader: RowReader
    rows: Int64[np.ndarray, " samples"]
    known: SampleList
    """Those that were read beforehand, of images in rows only key and size."""

    @property
    def stamp(self) -> str:
        """Changes when the table or the choice of rows does."""
        return f"{self.table.stamp} {len(self.rows)}"

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        """Raises UserError for a row that cannot be read: not all are looked at beforehand."""
        row = int(self.rows[index])
        try:
            return self.reader.read(self.table.row(row), row + 1, whole=True)
        except ValueError as error:
            raise UserError(
                f"{self.table.where(row)}: {error}\nTo find all such rows before training, type "
                "data.check_rows=null"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCheck:
    """Which rows are read before training, and what happens to those that are of no use."""

    limit: int | None = 20000
    """Rows that are read, spread over the table; None: all. Skipping reads all of them, too."""
    skip_missing: bool = False
    """Rows whose image is missing are left out, instead of being problems."""
    skip_unusable: bool = False
    """The same for rows that ask nothing about an image."""
    skip_unreadable: bool = False
    """The same for rows that are damaged, or whose image is; every image is decoded to find them.
    """

    def rows(self, size: int) -> Int64[np.ndarray, " rows"]:
        """Places among ``size`` rows."""
        skips = self.skip_missing or self.skip_unusable or self.skip_unreadable
        if self.limit is None or skips or size <= self.limit:
            return np.arange(size, dtype=np.int64)
        return np.linspace(0, size - 1, self.limit).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The samples, and what was left out of them."""

    samples: RowSamples
    checked: int
    """Rows that were read."""
    left_out: Counter[str]
    """Reason -> rows."""
    unused: Counter[str]
    """Part of a row that is not used -> rows that have it."""


def check_rows(
    table: Table, reader: RowReader, rows: Int64[np.ndarray, " rows"], check: RowCheck
) -> Checked:
    """Read rows of the table, and say at once what is wrong with them. Raises UserError."""
    return _Check(table, reader, check).run(rows)


class _Check:
    """The state of ``check_rows``."""

    def __init__(self, table: Table, reader: RowReader, check: RowCheck) -> None:
        self.table = table
        self.reader = reader
        self.check = check
        self.problems = Problems(table.path)
        self.left_out: Counter[str] = Counter()
        self.unused: Counter[str] = Counter()
        self.places: dict[str, str] = {}
        self.misfits: Counter[tuple[Frame, ...]] = Counter()
        self.no_frame: list[str] = []
        self.kinds: dict[str, Counter[str]] = defaultdict(Counter)

    def run(self, rows: Int64[np.ndarray, " rows"]) -> Checked:
        places = self.check.rows(len(rows))
        kept = np.ones(len(rows), dtype=bool)
        known = []
        for place in places:
            sample = self._read(int(rows[place]))
            if sample is None:
                kept[place] = False
            else:
                known.append(sample)
            if len(self.problems.found) >= MAX_PROBLEMS:
                break
        self._add_summaries()
        if not self.problems.found and not known:
            reasons = "; ".join(f"{count}: {why}" for why, count in self.left_out.items())
            self.problems.add(self.table.path, f"no row of {len(rows)} can be used ({reasons})")
        self.problems.raise_if_any()
        return Checked(
            samples=RowSamples(
                table=self.table,
                reader=self.reader,
                rows=rows[kept],
                known=SampleList(tuple(known)),
            ),
            checked=len(places),
            left_out=self.left_out,
            unused=self.unused,
        )

    def _read(self, index: int) -> Sample | None:
        """The sample without the bytes of its images; None for a row that is left out."""
        where = self.table.where(index)
        try:
            row = self.table.row(index)
            self._note_kinds(row)
            content = self.reader.content(row)
            sample = self.reader.to_sample(content, index + 1, whole=self.check.skip_unreadable)
        except UndeclaredFrameError as error:
            self.no_frame.append(f"{where}: {error}")
        except MissingImageError as error:
            self._leave_out(where, "image missing", str(error), self.check.skip_missing)
        except UnreadableRowError as error:
            self._leave_out(where, "unreadable", str(error), self.check.skip_unreadable)
        except UnusableRowError as error:
            self._leave_out(where, str(error), str(error), self.check.skip_unusable)
        except OtherFrameError as error:
            if error.fits:
                self.misfits[error.fits] += 1
                self.problems.add(where, str(error))
            else:  # no choice of a frame mends it
                reason = "a box outside the image"
                self._leave_out(where, reason, str(error), self.check.skip_unusable)
        except ValueError as error:
            self.problems.add(where, str(error))
        else:
            first = self.places.setdefault(sample.id, where)
            if first != where:
                what = f"id {sample.id!r} is already used at {first}"
                self.problems.add(where, f"{what}; data.number_rows=true numbers the rows instead")
            self.unused.update(content.left_out)
            return _without_bytes(sample)
        return None

    def _leave_out(self, where: str, reason: str, what: str, skip: bool) -> None:
        """Count and name the row, or add the problem and what to type against it."""
        option = _OPTIONS.get(reason, "unusable")
        if skip:
            self.left_out[reason] += 1
            self.problems.note(where, what if option == "unreadable" else reason)
        else:
            self.problems.add(where, f"{what}; data.{option}=skip leaves such rows out")

    def _note_kinds(self, row: dict[str, object]) -> None:
        for part, column in self.reader.format.roles(row.keys()).items():
            value = row.get(column)
            if part != "image" and value is not None:
                self.kinds[column]["a list" if isinstance(value, list) else "one value"] += 1

    def _add_summaries(self) -> None:
        """Problems of the file as a whole, before those of its rows."""
        if self.no_frame:
            self.problems.found.insert(
                0,
                f"{self.no_frame[0]}, as in {len(self.no_frame)} rows: the format does not say "
                f"what the numbers of its boxes are. Type one of\n{explain_frames()}",
            )
        for column, kinds in self.kinds.items():
            if len(kinds) > 1:
                shown = " and ".join(f"{kind} in {count} rows" for kind, count in kinds.items())
                self.problems.add(self.table.path, f"column {column!r} holds {shown}: make it one")
        total = len(self.places) + self.misfits.total()
        mixed = len(self.misfits) + bool(self.places) > 1
        for fits, count in self.misfits.most_common():
            where = " or ".join(f"data.frame={frame}" for frame in fits)
            self.problems.found.insert(
                0,
                f"{self.table.path}: the boxes of {count} of {total} rows fit "
                f"only another frame: type {where}" + "; the file mixes frames" * mixed,
            )


def _without_bytes(sample: Sample) -> Sample:
    if not any(isinstance(image, ImageBytes) for image in sample.images):
        return sample
    first, *others = (_named(image) for image in sample.images)
    return replace(sample, image=first, context_images=tuple(others))


def _named(image: ImageSource) -> ImageSource:
    if not isinstance(image, ImageBytes):
        return image
    return NamedImage(key=image.key, width=image.width, height=image.height)
