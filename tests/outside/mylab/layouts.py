"""A data set layout: boxes in CSV files."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from groundrl.data.detection.base import DetectionSet
from groundrl.data.detection.listed import ListedBox, ListedImage, assemble
from groundrl.data.image_files import ImageFinder
from groundrl.data.problems import Problems


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """boxes_<split>.csv with rows image, label, x1, y1, x2, y2 in pixels."""

    form: ClassVar[str] = "a CSV folder (boxes_<split>.csv)"

    def recognises(self, path: Path) -> bool:
        """Whether ``path`` is the folder of such a data set."""
        return any(path.glob("boxes_*.csv"))

    def read(
        self,
        path: str | Path,
        split: str | None,
        *,
        images: str | Path | None = None,
        skip_unreadable: bool = False,
    ) -> DetectionSet:
        """One split; images lie beside the table."""
        table = Path(path) / f"boxes_{split}.csv"
        problems = Problems(f"CSV data set {table}", skip_unreadable)
        boxes: dict[str, list[ListedBox]] = defaultdict(list)
        with table.open(encoding="utf-8-sig", newline="") as lines:
            for number, (file, label, *sides) in enumerate(csv.reader(lines), start=1):
                x1, y1, x2, y2 = map(float, sides)
                where = f"{table}:{number}"
                boxes[file].append(ListedBox(label=label, corners=(x1, y1, x2, y2), where=where))
        return assemble(
            [
                ListedImage(file=file, where=rows[0].where, boxes=rows)
                for file, rows in boxes.items()
            ],
            ImageFinder([table.parent]),
            problems,
            name=table.parent.name,
            split=split,
        )
