"""Converts a data set into another format, and says what that cannot hold.

``python -m groundrl.convert from=data/rows.jsonl to=out/llava.jsonl format=llava``

``from`` may be a file or a folder that training reads: our own JSONL or Parquet, rows of the
formats of ``data=hub``, a COCO, VOC or YOLO data set.
"""

import json
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from groundrl.boxes import Frame
from groundrl.convert.reading import Source
from groundrl.convert.writing import ROWS, CocoFile, Images, QwenRows
from groundrl.data.schema import to_row, write_parquet
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
  [boxes=<frame>]  with format=qwen: permille for Qwen3-VL, model for Qwen2.5-VL"""
FORMATS = ("ours", *ROWS, "qwen", "coco")


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
        saved: dict[str, str] = {}
        write = ROWS.get(format) or QwenRows(_frame("boxes", boxes))
        with replace_file(target) as partial, partial.open("w", encoding="utf-8") as file:
            for sample in samples:
                if format == "ours":
                    row = to_row(sample, target.parent, saved)
                else:
                    row = write(sample, images, lost)
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
    return report(target, format, count, images.copied, lost)


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


def run(arguments: Sequence[str]) -> str:
    """Convert; returns the report. Raises UserError."""
    optional = dict.fromkeys(("read", "split", "images", "frame", "boxes"), "")
    required = dict.fromkeys(("from", "to", "format"))
    values = read_options(arguments, USAGE, {**required, **optional})
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
    )
    samples = source.samples()
    found = (samples[index] for index in range(len(samples)))
    return convert_all(found, target, values["format"], values["boxes"])


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
