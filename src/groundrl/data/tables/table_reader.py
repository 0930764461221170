"""Turns tables into samples, in whichever of the field's formats their rows are."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from groundrl.boxes import Frame
from groundrl.data.formats.base import RowFormat
from groundrl.data.formats.table import TableRows
from groundrl.data.problems import Problems
from groundrl.data.tables.files import Table
from groundrl.data.tables.images import ImageFolder
from groundrl.data.tables.reader import Resize, RowReader
from groundrl.data.tables.samples import Checked, RowCheck, RowSamples, check_rows
from groundrl.errors import UserError

logger = logging.getLogger(__name__)

FrameName = Literal["pixel", "unit", "permille", "model"]
Kind = Literal["question", "caption"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReading:
    """How tables are read, and what is done with rows that cannot be used."""

    formats: Mapping[str, RowFormat]
    format: str | None = None
    """One of ``formats``; None: the first that recognises the columns."""
    columns: Mapping[str, str | None]
    """Part of a question -> its column, for those that are named by hand."""
    images: str | None = None
    """The folder below which images lie; None: that of the file."""
    frame: FrameName | None = None
    resize: Resize
    kind: Kind = "question"
    number_rows: bool = False
    check: RowCheck

    def read(self, table: Table, split: str, rows: int | None = None) -> RowSamples:
        """The samples of a table: all of them, or as many ``rows`` drawn by seed 0. Raises
        UserError; logs in one line how the table was read."""
        if not len(table):
            raise UserError(f"{table.path} has no rows")
        columns = _columns(table)
        name, found = self._find_format(table, columns)
        reader = RowReader(
            format=found,
            images=ImageFolder(root=self._image_root(table)),
            dataset=Path(table.path).stem,
            split=split,
            frame=None if self.frame is None else Frame(self.frame),
            resize=self.resize,
            caption=self.kind == "caption",
            number_rows=self.number_rows,
        )
        chosen = np.arange(len(table), dtype=np.int64)
        if rows is not None and rows < len(table):
            drawn = np.random.default_rng(0).choice(len(table), size=rows, replace=False)
            chosen = np.sort(drawn).astype(np.int64)
        checked = check_rows(table, reader, chosen, self.check)
        logger.info("%s", _tell(table, name, found.roles(columns), checked))
        return checked.samples

    def _find_format(self, table: Table, columns: list[str]) -> tuple[str, RowFormat]:
        by_hand = {part: name for part, name in self.columns.items() if name is not None}
        if by_hand:
            absent = [name for name in by_hand.values() if name not in columns]
            if absent:
                raise UserError(f"{table.path} has no column {absent[0]!r}: {', '.join(columns)}")
            return "columns by hand", TableRows(columns=by_hand)
        if self.format is not None:
            if self.format not in self.formats:
                known = ", ".join(self.formats)
                raise UserError(f"data.format={self.format} is unknown: type one of {known}")
            return self.format, self.formats[self.format]
        for name, one in self.formats.items():
            if one.recognises(columns):
                return name, one
        forms = "\n".join(f"  {name}: {one.form}" for name, one in self.formats.items())
        raise UserError(
            f"{table.path}: no known format has the columns {', '.join(columns)}. Known are\n"
            f"{forms}\nType data.columns.question=<column> data.columns.answer=<column> "
            "data.columns.image=<column> to name them by hand"
        )

    def _image_root(self, table: Table) -> Path | None:
        if self.images is not None:
            folder = Path(self.images).expanduser()
            if not folder.is_dir():
                raise UserError(f"data.images={folder}: no such folder")
            return folder
        place = Path(table.path)
        return place if place.is_dir() else place.parent if place.is_file() else None


def _columns(table: Table) -> list[str]:
    """Of the first row that can be read; the others are checked like all rows."""
    problems = Problems(table.path)
    for index in range(min(len(table), 100)):
        try:
            return list(table.row(index))
        except ValueError as error:
            problems.add(table.where(index), str(error))
    problems.raise_if_any()
    raise AssertionError("a table without rows was refused before")


def _tell(table: Table, name: str, roles: Mapping[str, str], checked: Checked) -> str:
    """One line: how many rows, in which format, what comes from where, what was left out."""
    parts = ", ".join(f"{part} from {column}" for part, column in roles.items())
    line = f"{table.path}: {len(checked.samples)} rows, format {name} ({parts})"
    if checked.checked < len(checked.samples):
        line += f"; {checked.checked} of them checked, the others when a step reads them"
    if checked.left_out:
        gone = ", ".join(f"{count} rows ({why})" for why, count in checked.left_out.items())
        line += f"; left out: {gone}"
    if checked.unused:
        unused = ", ".join(f"{part} of {count} rows" for part, count in checked.unused.items())
        line += f"; not used: {unused}"
    return line
