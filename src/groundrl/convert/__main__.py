"""Converts a data set into another format, and says what that cannot hold.

``python -m groundrl.convert from=data/rows.jsonl to=out/llava.jsonl format=llava``

``from`` may be a file or a folder that training reads: our own JSONL or Parquet, rows of the
formats of ``data=hub``, a COCO, VOC or YOLO data set.
"""

import json
import logging
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from groundrl.boxes import Frame
from groundrl.convert.reading import Source
from groundrl.convert.writing import ROWS, CocoFile, Images, QwenRows
from groundrl.data.formats.table import NAMES
from groundrl.data.schema import to_row, write_parquet
from groundrl.data.tables.samples import RowCheck
from groundrl.errors import UserError, is_disk_full
from groundrl.feedback.options import read_options
from groundrl.files import replace_file, write_json
from groundrl.records import Sample

USAGE = """python -m groundrl.convert from=<file or folder> to=<file> format=<name>
  format=ours|llava|ms_swift|qwen|coco  what is written
  to=              ends in .jsonl; for ours also .parquet, for coco .json
  [read=<name>]    how it is read: ours, conversations, ms_swift, trl, visual_genome, table,
                   coco, voc, yolo
  [split=<name>]   of a folder
  [images=<folder>]  that image paths start from
  [frame=<frame>]  of the boxes that are read, where the format leaves it open
  [config=<name>]  which table, of a folder with several
  [columns.<part>=<name>]  column of the question, answer, answer_index, image, options, boxes,
                   labels, rationale or id
  [number_rows=true]  the numbers of rows are their ids
  [missing=skip] [unusable=skip] [unreadable=skip]  rows to leave out: without their image, without
                   use, damaged
  [boxes=<frame>]  with format=qwen: permille for Qwen3-VL, model for Qwen2.5-VL"""
FORMATS = ("ours", *ROWS, "qwen", "coco")
TREATMENTS = ("missing", "unusable", "unreadable")
OTHER_NAMES = {"path": "from", "root": "from", "format": "read"}
"""Option of training -> the option of this command, where they differ in more than ``data.``."""


def convert_all(samples: Iterable[Sample], target: Path, format: str, boxes: str) -> str:
    """Write the samples; returns the report. Raises UserError."""
    images, lost, count = Images(target.parent), Counter[str](), 0
    if format == "coco":
        content = CocoFile()
        for sample in samples:
            content.add(sample, images, lost)
            count += 1
        write_json(target, content.content())
    elif format == "ours" and target.suffix == ".parquet":
        listed = list(samples)
        count = len(listed)
        write_parquet(listed, target)
    else:
        write = _writer(format, boxes, images, lost)
        with replace_file(target) as partial, partial.open("w", encoding="utf-8") as file:
            for sample in samples:
                file.write(json.dumps(write(sample), ensure_ascii=False) + "\n")
                count += 1
    return report(target, format, count, images.copied, lost)


def _writer(
    format: str, boxes: str, images: Images, lost: Counter[str]
) -> Callable[[Sample], dict[str, Any]]:
    """What makes a row of a sample."""
    if format == "ours":
        saved: dict[str, str] = {}
        return lambda sample: to_row(sample, images.folder, saved)
    make = ROWS.get(format) or QwenRows(_frame("boxes", boxes))
    return lambda sample: make(sample, images, lost)


def report(target: Path, format: str, count: int, copied: int, lost: Counter[str]) -> str:
    """What was written, and what was not, a line each."""
    lines = [f"{target}: {count} samples, format {format}"]
    if copied:
        lines.append(f"{copied} images are copied to {target.parent / 'images'}")
    lines += [f"not in this format: {what} ({n} samples)" for what, n in lost.items() if n]
    return "\n".join(lines)


def _frame(option: str, value: str) -> Frame:
    if value not in set(Frame):
        raise UserError(
            f"{option}={value} is no frame: type {option}=permille (0 to 1000, Qwen3-VL), "
            f"{option}=model (pixels as resized for the model, Qwen2.5-VL), {option}=pixel or "
            f"{option}=unit"
        )
    return Frame(value)


def own_options(text: str) -> str:
    """A message of the readers, with the options of training as this command names them."""
    text = text.replace("data.skip_unreadable=true", "unreadable=skip")
    return re.sub(
        r"\bdata\.([a-z_.<>]+)=", lambda option: f"{OTHER_NAMES.get(option[1], option[1])}=", text
    )


def run(arguments: Sequence[str]) -> str:
    """Convert; returns the report. Raises UserError."""
    columns = [f"columns.{part}" for part in NAMES]
    plain = ("read", "split", "images", "frame", "boxes", "config", "number_rows")
    optional = dict.fromkeys((*plain, *columns, *TREATMENTS), "")
    required = dict.fromkeys(("from", "to", "format"))
    values = read_options(arguments, USAGE, {**required, **optional})
    _check_words(values)
    if values["format"] not in FORMATS:
        raise UserError(f"format={values['format']} is unknown: type one of {', '.join(FORMATS)}")
    target = Path(values["to"]).expanduser()
    endings = {"coco": (".json",), "ours": (".jsonl", ".parquet")}
    wanted = endings.get(values["format"], (".jsonl",))
    if target.suffix not in wanted:
        raise UserError(f"to={target}: expected a file that ends in {' or '.join(wanted)}")
    if target.exists():
        raise UserError(f"to={target} is there already: type another file, or remove it")
    if values["format"] == "qwen":
        _frame("boxes", values["boxes"])
    elif values["boxes"]:
        raise UserError("boxes= goes with format=qwen only: the other formats fix their frame")
    source = Source(
        path=Path(values["from"]).expanduser(),
        read=values["read"] or None,
        split=values["split"] or None,
        images=values["images"] or None,
        frame=_frame("frame", values["frame"]) if values["frame"] else None,
        config=values["config"] or None,
        columns={part: values[f"columns.{part}"] or None for part in NAMES},
        number_rows=bool(values["number_rows"]),
        check=RowCheck(limit=None, **{f"skip_{name}": bool(values[name]) for name in TREATMENTS}),
    )
    try:
        samples = source.samples()
        found = (samples[index] for index in range(len(samples)))
        return convert_all(found, target, values["format"], values["boxes"])
    except UserError as error:
        raise UserError(own_options(str(error))) from error


def _check_words(values: Mapping[str, str]) -> None:
    """Raises UserError for options with one value that have another."""
    for name, word in {"number_rows": "true", **dict.fromkeys(TREATMENTS, "skip")}.items():
        if values[name] not in ("", word):
            raise UserError(
                f"{name}={values[name]} is unknown: type {name}={word}, or leave it out"
            )


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0, or 2 for a UserError."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("groundrl").setLevel(logging.INFO)  # how the source is read
    try:
        print(run(arguments))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        if not is_disk_full(error):
            raise
        print("no space left on the disk: free some, and type the command again", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
