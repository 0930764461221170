"""``python benchmarks/own_data.py RUN``: what a run has learned of its own detection data.

Reads the held-out answers of a run directory of ``data=voc`` or another layout of detection data.
One row for the IoU of each class that was to be located, one for the accuracy of each kind of
question with options; one column for each point of the run. ``trivial`` is an answer that looks at
no image: the most frequent one, or the mean box of the *other* held-out questions in the same words
(of all that name the class, where there are none). ``--out FILE.json`` writes the same figures.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from interval_rows import write_intervals

from groundrl.answers.record import AnswerRecord, read_record_file
from groundrl.boxes import Box, Frame, iou
from groundrl.errors import UserError
from groundrl.intervals import Interval, bootstrap
from groundrl.report.runs import read_metrics
from groundrl.report.tables import Table, duration, to_markdown

TRIVIAL = "trivial"
LOCATE = "locate"


def row_name(record: AnswerRecord) -> str:
    """The row that an answer counts in."""
    return f"IoU of {record.true[0].label}" if record.kind == LOCATE else f"accuracy, {record.kind}"


def quality(record: AnswerRecord) -> float:
    """IoU of a located object; else 1 for a right answer and 0 for a wrong one."""
    return float((record.iou if record.kind == LOCATE else record.correct) or 0)


def trivial(records: Sequence[AnswerRecord]) -> list[float]:
    """What an answer without the image is worth for each question of a row."""
    if records[0].kind != LOCATE:
        most = Counter(record.answers for record in records).most_common(1)[0][0]
        return [float(record.answers == most) for record in records]
    boxes = np.array([shares(record) for record in records])
    found = []
    for i, record in enumerate(records):
        others = [j for j in range(len(records)) if j != i] or [i]
        same = [j for j in others if records[j].question == record.question] or others
        found.append(iou(unit_box(boxes[same].mean(0)), unit_box(boxes[i])))
    return found


def shares(record: AnswerRecord) -> list[float]:
    """Corners of the true box as shares of the image's width and height."""
    width, height = record.image_size
    x1, y1, x2, y2 = record.true[0].box.corners
    return [x1 / width, y1 / height, x2 / width, y2 / height]


def unit_box(corners: np.ndarray) -> Box:
    """The box of these shares."""
    x1, y1, x2, y2 = (float(corner) for corner in corners)
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.UNIT)


def measure(points: Mapping[str, Sequence[AnswerRecord]]) -> dict[str, dict[str, Interval]]:
    """Row -> column -> mean with its interval, by bootstrap over images."""
    rows: dict[str, dict[str, Interval]] = {}
    for point, records in points.items():
        by_row: dict[str, list[AnswerRecord]] = {}
        for record in records:
            by_row.setdefault(row_name(record), []).append(record)
        for name, members in sorted(by_row.items()):
            images = [record.image_key for record in members]
            row = rows.setdefault(name, {TRIVIAL: bootstrap(trivial(members), images)})
            row[point] = bootstrap([quality(record) for record in members], images)
    return rows


def table(rows: Mapping[str, Mapping[str, Interval]]) -> Table:
    """Means with their intervals."""
    columns = list(next(iter(rows.values())))
    return Table(
        columns=("", "n", *columns),
        rows=tuple(
            (name, str(row[TRIVIAL].n), *(cell(row[column]) for column in columns))
            for name, row in rows.items()
        ),
    )


def cell(value: Interval) -> str:
    """Mean and 95 % interval."""
    return f"{value.mean:.2f} ({value.low:.2f} to {value.high:.2f})"


def main() -> None:
    """Print the table of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    try:
        stages, seconds = read_metrics(options.run)
        if not stages:
            raise UserError(f"{options.run} has no metrics.json: give the folder of a finished run")
        points = {name: read_record_file(options.run / f"heldout_{name}.jsonl") for name in stages}
    except UserError as error:
        sys.exit(str(error))
    rows = measure(points)
    print(to_markdown(table(rows)))
    print(f"95 % intervals; {duration(sum(seconds.values()))} in all")
    if options.out is not None:
        write_intervals(options.out, rows)


if __name__ == "__main__":
    main()
