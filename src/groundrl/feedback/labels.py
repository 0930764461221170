"""Captions with a label for each sentence, as JSONL (after ViGoR, arXiv 2402.06118, section 3.1).

A line: ``{"id", "image": path from the file's folder, "question", "text", "sentences": [{"start",
"stop", "errors": ["hallucination", ...], "severity": 0 to 3, "creative": true or false}],
"annotator"}``. An unlabelled caption has ``"sentences": null``.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from groundrl.data.image_files import check_images
from groundrl.data.problems import Problems
from groundrl.data.schema import save_image
from groundrl.errors import UserError
from groundrl.files import replace_file
from groundrl.json_rows import Flag, Text, Whole, read_json_lines
from groundrl.language.splitting import split_sentences
from groundrl.records import ImageFile, ImageSource

MOST_SEVERE = 3


class SentenceError(StrEnum):
    """What a sentence is wrong about: the word in files, and what it means."""

    meaning: str

    HALLUCINATION = "hallucination", "It names an object that is not in the image."
    ATTRIBUTE = "attribute", "Wrong colour, size, material or number."
    RELATIONSHIP = "relationship", "Two objects do not stand as it says."
    LOCATION = "location", "An object is not where in the image it says."
    CONJECTURE = "conjecture", "A guess that nothing in the image supports."

    def __new__(cls, value: str, meaning: str) -> "SentenceError":
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


SEVERITIES = {
    1: "A detail that few readers notice.",
    2: "A clear mistake.",
    MOST_SEVERE: "It misleads about what the image is of.",
}
"""Severity of a sentence with errors -> what it means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceLabel:
    """A judgement of one sentence."""

    start: Whole
    stop: Whole
    """Places in the caption's text."""
    errors: tuple[SentenceError, ...] = ()
    severity: Annotated[Whole, Field(le=MOST_SEVERE)] = 0
    """0: no error; else one of ``SEVERITIES``."""
    creative: Flag = False
    """It says something true that takes more than naming objects."""

    def describe(self) -> str:
        """In a few words: ``location, attribute (2), creative``, ``no error``."""
        errors = f"{', '.join(self.errors)} ({self.severity})" if self.errors else "no error"
        return f"{errors}, creative" if self.creative else errors


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCaption:
    """A caption of an image; ``sentences`` is None where it is not labelled."""

    id: str
    image: ImageSource
    question: str
    text: str
    sentences: tuple[SentenceLabel, ...] | None = None
    annotator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionRow:
    """Shape of a line."""

    id: Text
    image: Text
    question: Text
    text: Text
    sentences: tuple[SentenceLabel, ...] | None = None
    annotator: Text = ""


@dataclass(slots=True)
class CaptionWriter:
    """Lines of captions for a file in ``folder``; images that are no files are saved beside it."""

    folder: Path
    saved: dict[str, str] = field(default_factory=dict)
    """Key of an image -> its path from the folder."""

    def line(self, caption: LabelledCaption) -> str:
        """One line with its end."""
        return json.dumps(self.row(caption), ensure_ascii=False) + "\n"

    def row(self, caption: LabelledCaption) -> dict[str, Any]:
        """The values of a line."""
        image = caption.image
        if image.key not in self.saved:
            self.saved[image.key] = save_image(image, self.folder)
        return {
            "id": caption.id,
            "image": self.saved[image.key],
            "question": caption.question,
            "text": caption.text,
            "sentences": None
            if caption.sentences is None
            else [
                {
                    "start": one.start,
                    "stop": one.stop,
                    "errors": [str(error) for error in one.errors],
                    "severity": one.severity,
                    "creative": one.creative,
                }
                for one in caption.sentences
            ],
            "annotator": caption.annotator,
        }


def write_captions(captions: Iterable[LabelledCaption], path: Path) -> None:
    """All captions, in one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = CaptionWriter(path.parent)
    with replace_file(path) as partial:
        partial.write_bytes("".join(map(writer.line, captions)).encode())


def read_captions(path: Path) -> list[LabelledCaption]:
    """The captions of a file, each id once for each annotator. Raises UserError that lists every
    broken line: unknown errors, labels that are not those of the caption's sentences, missing
    images."""
    problems = Problems(str(path))
    rows = read_caption_rows(path, problems)
    files = {row.image: path.parent / row.image for _, row in rows}
    checked = check_images(files.values())
    captions = []
    for where, row in rows:
        image = checked[files[row.image]]
        if isinstance(image, str):
            problems.add(where, f"image {row.image!r}: {image}")
            continue
        captions.append(_caption(row, image))
    if not captions and not problems.found:
        problems.add(path, "no captions")
    problems.raise_if_any()
    return captions


def read_caption_rows(path: Path, problems: Problems) -> list[tuple[str, CaptionRow]]:
    """``file:line`` and content of each line, images not looked at; ``problems`` gets what is wrong
    with the others. Raises UserError for a missing file."""
    if not path.is_file():
        raise UserError(f"{path}: no such file. Give a JSONL file of captions.")
    rows = list(read_json_lines(path, path.read_bytes(), CaptionRow, problems.add))
    seen: dict[tuple[str, str], str] = {}
    for where, row in rows:
        first = seen.setdefault((row.id, row.annotator), where)
        if first != where:
            problems.add(where, f"id {row.id!r} is already used at {first}")
        if row.sentences is not None and (wrong := describe_mismatch(row.text, row.sentences)):
            problems.add(where, wrong)
    return rows


def describe_mismatch(text: str, labels: Sequence[SentenceLabel]) -> str | None:
    """Where labels and sentences differ, in words; None where each sentence has its label."""
    spans = split_sentences(text)
    if len(spans) != len(labels):
        return f"{len(labels)} labels, but the text has {len(spans)} sentences"
    for number, (span, label) in enumerate(zip(spans, labels, strict=True), start=1):
        if span != (label.start, label.stop):
            return f"label {number} is of {label.start}..{label.stop}, the sentence at {span}"
        if bool(label.errors) != bool(label.severity):
            return f"label {number} has errors {list(label.errors)} and severity {label.severity}"
    return None


def _caption(row: CaptionRow, image: ImageFile) -> LabelledCaption:
    return LabelledCaption(
        id=row.id,
        image=image,
        question=row.question,
        text=row.text,
        sentences=row.sentences,
        annotator=row.annotator,
    )
