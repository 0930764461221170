"""Cards of answers: image, boxes and reasoning; a phrase is highlighted together with its box."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from groundrl.answers.record import AnswerRecord
from groundrl.errors import UserError
from groundrl.report.answers.stage_answers import RESULT, StageAnswer, pick_examples
from groundrl.report.answers.text import AnswerText, split_text
from groundrl.report.page import TEMPLATES
from groundrl.report.pictures.image_view import (
    MAX_BOXES,
    ImageView,
    Size,
    inline_jpeg,
    view_image,
    view_predicted_box,
    view_true_box,
)

IMAGE_SIDE = 400
"""Pixels of the longer side; smaller images are enlarged by the browser."""
FURTHER_IMAGE_SIDE = 120
SHOWN_ELSEWHERE = frozenset({"correct", "box_iou"})
"""Scores that a card shows in another form."""


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
    text: AnswerText
    notes: list[str]


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
    further = [
        read_run_image(run_dir, name, record, FURTHER_IMAGE_SIDE) for name in record.images[1:]
    ]
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
        text=split_text(record.text, record.predicted, record.spans),
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


def _view_first_image(run_dir: Path, record: AnswerRecord) -> ImageView | None:
    """The image that boxes refer to. Where the run kept no image the boxes are drawn on an empty
    sheet that is as large as they reach; without boxes there is nothing to show."""
    true, predicted = record.true[:MAX_BOXES], record.predicted[:MAX_BOXES]
    found = read_run_image(run_dir, record.images[0], record, IMAGE_SIDE) if record.images else None
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
    views = [view_true_box(index, one, size) for index, one in enumerate(true)]
    views += [view_predicted_box(index, one, size) for index, one in enumerate(predicted)]
    return view_image(source, size, views)


def read_run_image(
    run_dir: Path, name: str, record: AnswerRecord, side: int
) -> tuple[Markup, Size] | None:
    """An image as an inline JPEG, and its size before shrinking; None when it is not there."""
    file = find_run_image(run_dir, name, record)
    if file is None:
        return None
    with Image.open(file) as image:
        return inline_jpeg(image, side), image.size


def find_run_image(run_dir: Path, name: str, record: AnswerRecord) -> Path | None:
    """The file of an image of a run; None when it is not there. Raises UserError for a name that
    leads out of the run directory."""
    file = Path(os.path.normpath(run_dir / name))
    if not file.is_relative_to(os.path.normpath(run_dir)):
        raise UserError(
            f"answer {record.id!r} names the image {name!r}, outside {run_dir}: "
            "images of a report stand in its run directory"
        )
    return file if file.is_file() else None
