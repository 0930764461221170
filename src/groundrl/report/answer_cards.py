"""Cards of answers: image, boxes and reasoning; a phrase is highlighted together with its box."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from markupsafe import Markup
from PIL import Image

from groundrl.answers.record import AnswerRecord
from groundrl.errors import UserError
from groundrl.records import Grounding
from groundrl.report.image_view import (
    MAX_BOXES,
    BoxView,
    ImageView,
    Size,
    inline_jpeg,
    view_box,
    view_image,
)
from groundrl.report.page import MAX_CHARACTERS, TEMPLATES
from groundrl.report.stage_answers import RESULT, StageAnswer, pick_examples

IMAGE_SIDE = 400
"""Pixels of the longer side; smaller images are enlarged by the browser."""
FURTHER_IMAGE_SIDE = 120
TAG = re.compile(r"(</?\w+>)")
SHOWN_ELSEWHERE = frozenset({"correct", "box_iou"})
"""Scores that a card shows in another form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """A piece of an answer outside of phrases."""

    is_phrase: ClassVar[bool] = False
    text: str
    is_tag: bool
    """Markup such as ``<think>``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhrasePart:
    """A piece of an answer that points at the box of this number, counted from 1."""

    is_phrase: ClassVar[bool] = True
    number: int
    before: str
    label: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCard:
    """What a card shows."""

    record: AnswerRecord
    result: str
    """One word, also the CSS class of its chip."""
    filters: dict[str, str]
    """What the card can be filtered by."""
    image: ImageView | None
    """None where there is neither an image nor a box."""
    further_images: list[Markup]
    """``data:`` addresses."""
    options: Sequence[str]
    true_labels: list[str]
    true_left: int
    """True boxes beyond ``MAX_BOXES``."""
    parts: list[TextPart | PhrasePart]
    characters_left: int
    """Of the answer, beyond ``MAX_CHARACTERS``."""
    notes: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether the model wrote nothing."""
        return not self.record.text.strip()


def answer_gallery(run_dir: Path, stages: Sequence[Sequence[StageAnswer]]) -> Markup:
    """Filters and cards as HTML; empty without answers.

    Raises UserError for an answer whose image is outside ``run_dir``.
    """
    if not stages:
        return Markup()
    picks = pick_examples(stages)
    cards = [_view_answer(run_dir, pick, answer) for pick, answer in picks]
    names = [answers[0].stage for answers in stages]
    choices = {key: sorted({card.filters[key] for card in cards}) for key in cards[0].filters}
    html = TEMPLATES.get_template("answers.html.jinja").render(
        choices=choices | {"stage": names},
        stages=names,
        total=sum(map(len, stages)),
        cards=cards,
    )
    return Markup(html)


def _view_answer(run_dir: Path, pick: str, answer: StageAnswer) -> AnswerCard:
    record = answer.record
    further = [_read_image(run_dir, name, record, FURTHER_IMAGE_SIDE) for name in record.images[1:]]
    parts, characters_left = _split_text(record)
    return AnswerCard(
        record=record,
        result=answer.result,
        filters={
            "stage": answer.stage,
            "pick": pick,
            "result": answer.result,
            "set": record.set,
            "kind": record.kind,
        },
        image=_view_first_image(run_dir, record),
        further_images=[found[0] for found in further if found is not None],
        options=record.options or list(dict.fromkeys(record.answers)),
        true_labels=[grounding.label for grounding in record.true[:MAX_BOXES]],
        true_left=max(0, len(record.true) - MAX_BOXES),
        parts=parts,
        characters_left=characters_left,
        notes=_list_notes(answer),
    )


def _list_notes(answer: StageAnswer) -> list[str]:
    """What the result rests on, and which question it was."""
    record = answer.record
    figures = {"IoU": record.iou} | {
        name.replace("_", " "): value
        for name, value in record.scores.items()
        if name not in SHOWN_ELSEWHERE
    }
    notes = [f"{name} {value:.3g}" for name, value in figures.items() if value is not None]
    stage = "" if answer.stage == RESULT else answer.stage
    return notes + [note for note in (stage, record.set, record.kind, record.id) if note]


def _split_text(record: AnswerRecord) -> tuple[list[TextPart | PhrasePart], int]:
    """The answer as it was written, in parts, and the number of characters that are left out."""
    text, position = record.text, 0
    parts: list[TextPart | PhrasePart] = []
    phrases = zip(record.predicted[:MAX_BOXES], record.spans, strict=False)
    for number, (grounding, (start, end)) in enumerate(phrases, start=1):
        if end > MAX_CHARACTERS:
            break
        parts += _split_tags(text[position:start])
        before, label, after = text[start:end].partition(grounding.label)
        parts.append(PhrasePart(number=number, before=before, label=label, after=after))
        position = end
    rest = text[position : max(position, MAX_CHARACTERS)]
    return [*parts, *_split_tags(rest)], len(text) - position - len(rest)


def _split_tags(text: str) -> Iterator[TextPart]:
    # The pattern has one group, so every second piece is a tag.
    for index, piece in enumerate(TAG.split(text)):
        if piece:
            yield TextPart(text=piece, is_tag=index % 2 == 1)


def _view_first_image(run_dir: Path, record: AnswerRecord) -> ImageView | None:
    """The image that boxes refer to. Where the run kept no image the boxes are drawn on an empty
    sheet that is as large as they reach; without boxes there is nothing to show."""
    true, predicted = record.true[:MAX_BOXES], record.predicted[:MAX_BOXES]
    found = _read_image(run_dir, record.images[0], record, IMAGE_SIDE) if record.images else None
    if found is not None:
        source, size = found
    elif boxes := [grounding.box for grounding in (*true, *predicted)]:
        source = None
        size = (
            max(1, *(round(box.x2) for box in boxes)),
            max(1, *(round(box.y2) for box in boxes)),
        )
    else:
        return None
    views = [_view_true_box(index, one, size) for index, one in enumerate(true)]
    views += [_view_predicted_box(index, one, size) for index, one in enumerate(predicted)]
    return view_image(source, size, views)


def _view_true_box(index: int, grounding: Grounding, size: Size) -> BoxView:
    name = f"true box: {grounding.label}"
    return view_box(grounding.box, size, kind="green", key=f"true{index}", name=name, number=None)


def _view_predicted_box(index: int, grounding: Grounding, size: Size) -> BoxView:
    name = f"predicted box: {grounding.label}"
    key = f"predicted{index}"
    return view_box(grounding.box, size, kind="magenta", key=key, name=name, number=index + 1)


def _read_image(
    run_dir: Path, name: str, record: AnswerRecord, side: int
) -> tuple[Markup, Size] | None:
    """An image as an inline JPEG, and its size before shrinking; None when it is not there."""
    file = Path(os.path.normpath(run_dir / name))
    if not file.is_relative_to(os.path.normpath(run_dir)):
        raise UserError(
            f"answer {record.id!r} names the image {name!r}, outside {run_dir}: "
            "images of a report stand in its run directory"
        )
    if not file.is_file():
        return None
    with Image.open(file) as image:
        return inline_jpeg(image, side), image.size
