"""The datamodule of ``data=hub``: rows in one of the formats of the field."""

from collections.abc import Mapping

from groundrl.data.formats.base import RowFormat
from groundrl.data.module import GroundingDataModule
from groundrl.data.problems import Treatment
from groundrl.data.tables.hub import open_table
from groundrl.data.tables.reader import Resize
from groundrl.data.tables.samples import RowCheck
from groundrl.data.tables.table_reader import FrameName, Kind, TableReading


def hub_module(
    *,
    path: str,
    split: str = "train",
    config: str | None = None,
    stream_rows: int | None = None,
    heldout_path: str | None = None,
    heldout_split: str | None = None,
    heldout_size: int | None = 500,
    formats: Mapping[str, RowFormat],
    format: str | None = None,
    columns: Mapping[str, str | None],
    images: str | None = None,
    frame: FrameName | None = None,
    resize: Resize,
    kind: Kind = "question",
    missing: Treatment = "error",
    unusable: Treatment = "error",
    unreadable: Treatment = "error",
    number_rows: bool = False,
    check_rows: int | None = 20000,
    prompts_per_step: int = 8,
    seed: int = 0,
    num_workers: int = 0,
) -> GroundingDataModule:
    """Rows of a hub data set, a folder in its layout, or a file; see ``conf/data/hub.yaml``.

    The held-out set is another file or another split; without either there is none. Raises
    UserError that lists everything wrong with the rows that were read.
    """
    reading = TableReading(
        formats=formats,
        format=format,
        columns=columns,
        images=images,
        frame=frame,
        resize=resize,
        kind=kind,
        number_rows=number_rows,
        check=RowCheck(
            limit=check_rows,
            skip_missing=missing == "skip",
            skip_unusable=unusable == "skip",
            skip_unreadable=unreadable == "skip",
        ),
    )
    table = open_table(path, split, config=config, stream_rows=stream_rows)
    heldout = {}
    if heldout_path is not None or heldout_split is not None:
        rows = None if stream_rows is None else heldout_size
        place = heldout_path or path, heldout_split or split
        other = open_table(*place, config=config, stream_rows=rows)
        heldout["heldout"] = reading.read(other, heldout_split or "heldout", heldout_size)
    return GroundingDataModule(
        train=reading.read(table, split),
        heldout=heldout,
        prompts_per_step=prompts_per_step,
        seed=seed,
        num_workers=num_workers,
    )
