"""The image of recorded answers."""

from pathlib import Path

import pytest
from PIL import Image
from report_files import record

from groundrl.answers.record import read_record
from groundrl.errors import UserError
from groundrl.report.answers.sheet import answer_sheet
from groundrl.report.answers.stage_answers import StageAnswer
from groundrl.report.pictures.drawing import BAD, COLUMN, GAP, GOOD, MARGIN


def answer(stage: str, number: int, **changes: object) -> StageAnswer:
    """Answer ``number`` of the small run."""
    return StageAnswer(stage=stage, record=read_record(record(number, **changes)))


def colors(page: Image.Image) -> set[str]:
    """All colours of an image, as ``#rrggbb``."""
    found = page.getcolors(page.width * page.height) or []
    return {"#{:02x}{:02x}{:02x}".format(*color) for _, color in found if isinstance(color, tuple)}


def test_a_question_is_a_card_and_an_answer_is_a_column(run_dir: Path) -> None:
    one = answer_sheet(run_dir, [[answer("start", 1), answer("grpo", 2)]])
    assert one.width == 2 * COLUMN + 3 * GAP + 2 * MARGIN
    two = answer_sheet(run_dir, [[answer("start", 1), answer("grpo", 2)]] * 2)
    assert two.width == one.width
    assert two.height == 2 * one.height + GAP - 2 * MARGIN


def test_right_answers_are_green_and_wrong_ones_red(run_dir: Path) -> None:
    no_options = {"options": [], "answers": []}  # the right option is green, too
    assert GOOD in colors(answer_sheet(run_dir, [[answer("grpo", 2, **no_options)]]))
    wrong = colors(answer_sheet(run_dir, [[answer("grpo", 1, **no_options)]]))
    assert BAD in wrong
    assert GOOD not in wrong


def test_the_image_of_the_run_is_shown(run_dir: Path) -> None:
    assert "#886644" in colors(answer_sheet(run_dir, [[answer("grpo", 2)]]))


def test_boxes_are_drawn_without_their_image(run_dir: Path) -> None:
    gone = answer_sheet(run_dir, [[answer("grpo", 2, images=["images/gone.png"])]])
    unnamed = answer_sheet(run_dir, [[answer("grpo", 2, images=[])]])
    assert gone.tobytes() == unnamed.tobytes()


def test_an_image_outside_the_run_is_refused(run_dir: Path) -> None:
    with pytest.raises(UserError, match="outside"):
        answer_sheet(run_dir, [[answer("grpo", 2, images=["../secret.png"])]])
