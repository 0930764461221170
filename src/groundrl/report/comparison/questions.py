"""The held-out questions with the answers of all runs, as the data of a page.

A page makes cards of them when they are looked at. Everything is shortened to lists and numbers:
thousands of answers must stay a file that a browser opens at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundrl.answers.record import AnswerRecord
from groundrl.boxes import Box
from groundrl.report.answers.cards import read_run_image
from groundrl.report.answers.text import PhrasePart, split_text
from groundrl.report.comparison.paired import is_right
from groundrl.report.comparison.runs import ComparedRun, Key
from groundrl.report.page import shorten
from groundrl.report.pictures.image_view import MAX_BOXES, Size

MAX_QUESTIONS = 500
"""Of one set: first those that the runs do not agree on."""
IMAGE_SIDE = 240
"""Pixels of the longer side of an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image of the page."""

    number: int
    """Its place among them."""
    source: str
    """``data:`` address."""
    size: Size
    """Before shrinking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionData:
    """What the script of the page reads."""

    columns: Sequence[tuple[str, str]]
    """Run and stage of each answer."""
    questions: Sequence[Mapping[str, object]]
    """Those on the page: see ``_question``."""
    pictures: Sequence[str]
    """``data:`` addresses."""


def collect_questions(runs: Sequence[ComparedRun], asked: Sequence[Key]) -> QuestionData:
    """At most ``MAX_QUESTIONS`` of each set, in the order in which they were asked.

    Raises UserError for an answer whose image is outside its run.
    """
    columns = [(run, stage) for run in runs for stage in run.stages if stage in run.answers]
    pictures: dict[str, Picture] = {}
    questions = []
    for key in _choose(runs, asked):
        given = [run.answers[stage].get(key) for run, stage in columns]
        picture = _find_picture(runs, key, pictures)
        questions.append(_question(runs[0].results[key], given, picture))
    return QuestionData(
        columns=[(run.name, stage) for run, stage in columns],
        questions=questions,
        pictures=[picture.source for picture in pictures.values()],
    )


def _choose(runs: Sequence[ComparedRun], asked: Sequence[Key]) -> list[Key]:
    chosen: set[Key] = set()
    for name in dict.fromkeys(name for name, _ in asked):
        own = [key for key in asked if key[0] == name]
        # The sort is stable: among equals the order in which they were asked.
        own.sort(key=lambda key: len({is_right(run.results[key]) for run in runs}) < 2)
        chosen.update(own[:MAX_QUESTIONS])
    return [key for key in asked if key in chosen]


def _find_picture(
    runs: Sequence[ComparedRun], key: Key, pictures: dict[str, Picture]
) -> Picture | None:
    """As the first run kept it that did. Its name is made of the image's key, so that files of the
    same name are the same image; each is read once."""
    for run in runs:
        record = run.results[key]
        for name in record.images[:1]:
            if name not in pictures and (
                found := read_run_image(run.folder, name, record, IMAGE_SIDE)
            ):
                pictures[name] = Picture(number=len(pictures), source=found[0], size=found[1])
            if name in pictures:
                return pictures[name]
    return None


def _extent(given: Sequence[AnswerRecord | None]) -> Size:
    """As far as boxes reach, where no run kept the image."""
    found = [one for one in given if one is not None]
    boxes = [grounding.box for one in found for grounding in (*one.true, *one.predicted)]
    return (
        max(1, *(round(box.x2) for box in boxes), 1),
        max(1, *(round(box.y2) for box in boxes), 1),
    )


def _question(
    record: AnswerRecord, given: Sequence[AnswerRecord | None], picture: Picture | None
) -> dict[str, object]:
    """``answers`` are the different ones; ``given`` says for each column which of them it is, -1
    for none."""
    size = _extent(given) if picture is None else picture.size
    answers: list[list[object]] = []
    places: list[int] = []
    for one in given:
        if one is None:
            places.append(-1)
            continue
        answer = _answer(one, size)
        if answer not in answers:
            answers.append(answer)
        places.append(answers.index(answer))
    options = record.options or tuple(dict.fromkeys(record.answers))
    return {
        "set": record.set,
        "kind": record.kind,
        "id": record.id,
        "question": shorten(record.question),
        "options": [[shorten(option), option in record.answers] for option in options],
        "picture": None if picture is None else picture.number,
        "size": size,
        "true": [[one.label, *_per_cent(one.box, size)] for one in record.true[:MAX_BOXES]],
        "answers": answers,
        "given": places,
    }


def _answer(record: AnswerRecord, size: Size) -> list[object]:
    """Right, IoU, parts of the text, boxes. A part is text, or [number, before, label, after] of a
    phrase that points at the box of that number, from 1; a box is its label and four numbers."""
    text = split_text(record.text, record.predicted, record.spans)
    parts: list[object] = []
    for part in text.parts:
        if isinstance(part, PhrasePart):
            parts.append([part.number, part.before, part.label, part.after])
        else:
            parts.append(part.text)
    if text.characters_left:
        parts.append(f" … and {text.characters_left:,} more characters")
    boxes = [[one.label, *_per_cent(one.box, size)] for one in record.predicted[:MAX_BOXES]]
    iou = None if record.iou is None else round(record.iou, 2)
    return [is_right(record), iou, parts, boxes]


def _per_cent(box: Box, size: Size) -> list[float]:
    """Left, top, right and bottom in per cent of the image, cut at its edge."""
    ends = zip(box.corners, (*size, *size), strict=True)
    return [round(100 * min(max(value / extent, 0.0), 1.0), 1) for value, extent in ends]
