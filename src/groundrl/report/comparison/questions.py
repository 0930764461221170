"""The held-out questions with the answers of all runs, as the data of a page.

A page makes cards of them when they are looked at. Everything is shortened to lists and numbers:
thousands of answers must stay a file that a browser opens at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundrl.answers.record import AnswerRecord
from groundrl.boxes import Box
from groundrl.report.answer_cards import read_run_image
from groundrl.report.answer_text import PhrasePart, split_text
from groundrl.report.comparison.paired import is_right
from groundrl.report.comparison.runs import ComparedRun, Key
from groundrl.report.image_view import MAX_BOXES, Size
from groundrl.report.page import shorten

MAX_QUESTIONS = 500
"""Of one set: first those that the runs do not agree on."""
IMAGE_SIDE = 240
"""Pixels of the longer side of an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionData:
    """What the script of the page reads."""

    content: Mapping[str, object]
    """``columns``: [run, stage] of each answer; ``questions``: see ``_question``."""
    pictures: Sequence[str]
    """``data:`` addresses."""
    total: int
    """Questions that all runs answer."""

    @property
    def shown(self) -> int:
        """Questions on the page."""
        questions = self.content["questions"]
        assert isinstance(questions, list)
        return len(questions)


def collect_questions(runs: Sequence[ComparedRun], asked: Sequence[Key]) -> QuestionData:
    """At most ``MAX_QUESTIONS`` of each set, in the order in which they were asked.

    Raises UserError for an answer whose image is outside its run.
    """
    columns = [(run, stage) for run in runs for stage in run.stages if stage in run.answers]
    pictures: dict[tuple[str, str], tuple[int, Size]] = {}
    sources: list[str] = []
    questions = []
    for key in _choose(runs, asked):
        given = [run.answers[stage].get(key) for run, stage in columns]
        record = runs[0].results[key]
        place = record.set, record.image_key
        if place not in pictures and (found := _read_picture(runs, key)):
            pictures[place] = len(sources), found[1]
            sources.append(found[0])
        number, size = pictures.get(place, (None, _extent(given)))
        questions.append(_question(record, given, number, size))
    names = [[run.name, stage] for run, stage in columns]
    content = {"columns": names, "questions": questions}
    return QuestionData(content=content, pictures=sources, total=len(asked))


def _choose(runs: Sequence[ComparedRun], asked: Sequence[Key]) -> list[Key]:
    chosen: set[Key] = set()
    for name in dict.fromkeys(name for name, _ in asked):
        own = [key for key in asked if key[0] == name]
        # The sort is stable: among equals the order in which they were asked.
        own.sort(key=lambda key: len({is_right(run.results[key]) for run in runs}) < 2)
        chosen.update(own[:MAX_QUESTIONS])
    return [key for key in asked if key in chosen]


def _read_picture(runs: Sequence[ComparedRun], key: Key) -> tuple[str, Size] | None:
    """Of the first run that kept it."""
    for run in runs:
        record = run.results[key]
        for name in record.images[:1]:
            if found := read_run_image(run.folder, name, record, IMAGE_SIDE):
                return found
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
    record: AnswerRecord, given: Sequence[AnswerRecord | None], picture: int | None, size: Size
) -> dict[str, object]:
    """``answers`` are the different ones; ``given`` says for each column which of them it is, -1
    for none."""
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
        "picture": picture,
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
