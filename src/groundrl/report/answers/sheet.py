"""An image of recorded answers: one question a card, the answers of several stages or runs beside
each other."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from groundrl.answers.record import AnswerRecord
from groundrl.report.answers.cards import find_run_image
from groundrl.report.answers.stage_answers import StageAnswer
from groundrl.report.pictures.drawing import (
    BAD,
    CARD,
    COLUMN,
    GAP,
    GOOD,
    INK,
    SOFT,
    Styled,
    add_frame,
    draw_text,
    sheet_of,
    side_by_side,
    stack,
    text_font,
    wrap_text,
)
from groundrl.report.pictures.image_view import MAX_BOXES
from groundrl.report.pictures.overlay import PREDICTED, TRUE, fit_text, overlay

RESULT_COLORS = {"right": GOOD, "sound": GOOD, "wrong": BAD, "invents": BAD}


def answer_sheet(run_dir: Path, rows: Sequence[Sequence[StageAnswer]]) -> Image.Image:
    """One card for each of ``rows``, the answers to one question, with a column for each answer.

    Images are those of ``run_dir``; runs that asked the same questions have the same ones. Where
    one is missing, boxes are drawn on an empty sheet. Raises UserError for an answer whose image is
    outside ``run_dir``.
    """
    return sheet_of([_draw_card(run_dir, answers) for answers in rows])


def _draw_card(run_dir: Path, answers: Sequence[StageAnswer]) -> Image.Image:
    width = len(answers) * (COLUMN + GAP) - GAP
    head = draw_text(_describe_question(answers[0].record, width), 15, width)
    columns = [_draw_answer(run_dir, answer) for answer in answers]
    return add_frame(stack([head, side_by_side(columns)]))


def _describe_question(record: AnswerRecord, width: int) -> list[Styled]:
    """The question, then its options or answers with the right ones marked."""
    font = text_font(15)
    options = [
        (f"{option}   ", GOOD if option in record.answers else SOFT)
        for option in record.options or record.answers
    ]
    text = fit_text(f"{record.set}, {record.kind}", font, width)
    return [[(text, SOFT)], *wrap_text(record.question, font, width), options]


def _draw_answer(run_dir: Path, answer: StageAnswer) -> Image.Image:
    """Image with boxes, the true ones without names; stage, result and IoU; the text."""
    record = answer.record
    unnamed = [replace(grounding, label="") for grounding in record.true[:MAX_BOXES]]
    drawn = overlay(_open_image(run_dir, record), unnamed, record.predicted[:MAX_BOXES], COLUMN)
    facts: Styled = [(f"{answer.stage}  ", INK)]
    facts.append((answer.result, RESULT_COLORS.get(answer.result, SOFT)))
    if record.iou is not None:
        facts.append((f"   IoU {record.iou:.2f}", SOFT))
    legend: Styled = [("true boxes", TRUE), ("   predicted boxes", PREDICTED)]
    text = wrap_text(record.text, text_font(13))
    return stack([drawn, draw_text([legend], 12), draw_text([facts], 15), draw_text(text, 13)])


def _open_image(run_dir: Path, record: AnswerRecord) -> Image.Image:
    """The first image of the answer, or an empty sheet of its size."""
    file = find_run_image(run_dir, record.images[0], record) if record.images else None
    if file is None:
        width, height = record.image_size
        return Image.new("RGB", (max(width, 1), max(height, 1)), CARD)
    with Image.open(file) as image:
        return image.convert("RGB")
