"""The image of recorded answers."""

import runpy
import shutil
from pathlib import Path

import pytest
from PIL import Image
from report_files import record, write_answers
from scripts import ROOT

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


def test_the_picture_of_the_readme_shows_what_only_grpo_answers_rightly(
    run_dir: Path, tmp_path: Path
) -> None:
    draw = runpy.run_path(str(ROOT / "docs/before_after.py"))["main"]
    kinds = ("color", "color", "count", "depth")
    for stage, right in (("start", (0, 0, 0, 0)), ("sft", (0, 0, 0, 1)), ("grpo", (1, 1, 0, 1))):
        rows = [
            record(number, kind=kind, correct=bool(correct), iou=0.1 * number * correct)
            for number, (kind, correct) in enumerate(zip(kinds, right, strict=True))
        ]
        write_answers(tmp_path / "run" / f"heldout_{stage}.jsonl", rows)
    shutil.copytree(run_dir / "images", tmp_path / "run" / "images")
    draw(tmp_path / "run", tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as drawn:
        assert drawn.width == 3 * COLUMN + 4 * GAP + 2 * MARGIN
        lone = answer_sheet(run_dir, [[answer(stage, 1) for stage in ("start", "sft", "grpo")]])
        assert abs(drawn.height - lone.height) < 40  # one card: of colours the best, no other kind
