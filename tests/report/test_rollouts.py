"""The image of rollouts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFont

from groundrl.boxes import Box, Frame, FrameMismatchError, ImageSizes
from groundrl.records import (
    Completion,
    Grounding,
    ImageFile,
    Provenance,
    RolloutGroup,
    Sample,
    Score,
)
from groundrl.report.answers.rollouts import MAX_PROMPTS, pick_ranks, rollout_sheet
from groundrl.report.pictures.drawing import COLUMN, GAP, MARGIN, MAX_LINES, wrap_text

FONT = ImageFont.load_default(size=13)
BOX = Grounding(label="cup", box=Box(x1=10.0, y1=10.0, x2=60.0, y2=60.0, frame=Frame.PIXEL))
CARD_WIDTH = 4 * COLUMN + 3 * GAP + 2 * GAP


def group(tmp_path: Path, *texts: str) -> RolloutGroup:
    """One question with these completions."""
    path = tmp_path / "cup.png"
    Image.new("RGB", (160, 120), "#446688").save(path)
    sample = Sample(
        id="1",
        image=ImageFile(path=path, width=160, height=120),
        question="Which cup is red?",
        options=("left", "right"),
        answers=("left",),
        groundings=(BOX,),
        provenance=Provenance(dataset="made", split="test"),
    )
    completions = tuple(
        Completion(text=text, tokens=(1,), logprobs=(0.0,), truncated=not text) for text in texts
    )
    sizes = ImageSizes(width=160, height=120, model_width=160, model_height=120)
    return RolloutGroup(sample=sample, sizes=sizes, completions=completions)


def sheet(groups: list[RolloutGroup], boxes: Grounding = BOX) -> Image.Image:
    """Falling rewards, one box each."""
    scores = [
        [Score(total=-float(k), parts={"iou": 0.5, "acc": None}) for k in range(len(g.completions))]
        for g in groups
    ]
    read = [[[boxes] for _ in g.completions] for g in groups]
    return rollout_sheet(groups, scores, read, [[0.5] * len(g.completions) for g in groups])


def test_a_card_has_the_truth_and_three_completions(tmp_path: Path) -> None:
    page = sheet([group(tmp_path, "<answer>left</answer>", "b", "", "d", "e")])
    assert page.width == CARD_WIDTH + 2 * MARGIN
    assert page.height > 300


def test_only_the_first_prompts_are_shown(tmp_path: Path) -> None:
    one = group(tmp_path, "a", "b")
    most = sheet([one] * MAX_PROMPTS)
    assert sheet([one] * (MAX_PROMPTS + 3)).size == most.size
    assert most.height > sheet([one]).height * (MAX_PROMPTS - 1)


def test_a_rollout_without_prompts_is_an_empty_page() -> None:
    assert sheet([]).width > 0


def test_boxes_of_another_frame_are_refused(tmp_path: Path) -> None:
    wrong = Grounding(label="cup", box=Box(x1=0.0, y1=0.0, x2=9.0, y2=9.0, frame=Frame.PERMILLE))
    with pytest.raises(FrameMismatchError):
        sheet([group(tmp_path, "a", "b")], wrong)


def test_records_of_different_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        rollout_sheet([group(tmp_path, "a")], [], [], [])


@pytest.mark.parametrize(
    ("count", "places"), [(0, []), (1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (8, [0, 4, 7])]
)
def test_best_middle_and_worst_are_shown_once(count: int, places: list[int]) -> None:
    assert pick_ranks(count) == places


@given(text=st.text(alphabet="ab <>/\n", max_size=300))
def test_wrapped_lines_fit_and_lose_no_letter(text: str) -> None:
    lines = ["".join(piece for piece, _ in line) for line in wrap_text(text, FONT, 200)]
    # Each piece is measured by itself; kerning between pieces is far below two pixels.
    assert all(FONT.getlength(line.rstrip()) <= 202 for line in lines)
    if len(lines) <= MAX_LINES and text.strip():
        assert "".join("".join(lines).split()) == "".join(text.split())


def test_markup_is_kept_in_another_colour() -> None:
    (line,) = wrap_text("<obj>cup</obj>", FONT)
    assert [piece for piece, _ in line] == ["<obj>", "cup", "</obj>"]
    assert line[0][1] == line[2][1] != line[1][1]


def test_long_text_ends_in_an_ellipsis() -> None:
    lines = wrap_text("word " * 500, FONT)
    assert len(lines) == MAX_LINES + 1
    assert lines[-1][0][0] == "…"


def test_an_empty_completion_is_shown_as_empty() -> None:
    assert wrap_text(" \n", FONT)[0][0][0] == "(empty)"
