"""A data set layout: boxes in CSV files."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from groundrl.data.detection import (
    AnnotatedImage,
    Boxes,
    DetectionSet,
    check_images,
    check_set,
    pixel_box,
)
from groundrl.data.problems import Problems
from groundrl.records import Grounding, ImageFile


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
        with table.open() as lines:
            rows = [
                (table.parent / name, label, *map(float, box))
                for name, label, *box in csv.reader(lines)
            ]
        found = {}
        for file, image in check_images(row[0] for row in rows).items():
            if isinstance(image, ImageFile):
                found[file] = (image, Boxes(problems))
            else:
                problems.unreadable(file, image)
        for number, (file, label, x1, y1, x2, y2) in enumerate(rows, start=1):
            image, boxes = found[file]
            item = Grounding(label=label, box=pixel_box((x1, y1, x2, y2), image))
            boxes.add(item, f"{table}:{number}")
        return check_set(
            problems,
            name=table.parent.name,
            split=str(split),
            names=sorted({row[1] for row in rows}),
            images=[
                AnnotatedImage(id=file.stem, image=image, groundings=boxes.groundings)
                for file, (image, boxes) in found.items()
            ],
        )
