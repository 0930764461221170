"""What a sweep file may claim."""

from typing import Any

import pytest

from groundrl.errors import UserError
from groundrl.studies.conclusions import (
    Side,
    conclusion_problems,
    matching_rows,
    read_conclusions,
)

CLAIM: dict[str, Any] = {
    "claim": "GRPO raises accuracy",
    "source": "Table 2",
    "metric": "t/acc",
    "of": {"setting": "iou+acc", "stage": "grpo"},
    "against": {"setting": "iou+acc", "stage": "sft"},
    "expected": "higher",
}
ROWS = ["acc", "iou+acc", "iou+acc+format"]
STAGES = ("start", "sft", "grpo")


def problems(**changed: object) -> list[str]:
    return [*conclusion_problems(read_conclusions([CLAIM | changed]), ROWS, STAGES)]


def test_a_claim_about_rows_and_stages_of_the_grid_is_sound() -> None:
    (one,) = read_conclusions([CLAIM])
    assert (one.of, one.expected) == (Side(setting="iou+acc", stage="grpo"), "higher")
    assert problems() == []


def test_every_mistake_of_form_is_in_one_message() -> None:
    broken = CLAIM | {"expected": "more", "metrics": "t/acc", "of": {"row": "acc"}}
    del broken["source"]
    with pytest.raises(UserError) as error:
        read_conclusions([CLAIM, broken])
    for expected in (
        "conclusions[1]: lacks the field 'source'",
        "conclusions[1]: has an unknown field 'metrics'",
        "conclusions[1].of: has an unknown field 'row'",
        "conclusions[1].expected: expected 'higher' or 'lower', got 'more'",
        "of and against have setting and stage",
    ):
        assert expected in str(error.value)


@pytest.mark.parametrize("value", ["GRPO wins", {"claim": "GRPO wins"}, None])
def test_conclusions_are_a_list(value: object) -> None:
    with pytest.raises(UserError, match="conclusions: expected a list"):
        read_conclusions(value)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"of": {"setting": "giou"}}, "of.setting: 'giou' is no row of the grid, which has acc, "),
        ({"against": {"stage": "sft"}}, "against.setting: '' fits several rows of the grid"),
        ({"of": {"setting": "acc", "stage": "dpo"}}, "there is no stage 'dpo', expected one of st"),
        ({"against": CLAIM["of"]}, "of and against are the same"),
    ],
)
def test_what_the_grid_has_not_is_a_problem(changed: dict[str, Any], problem: str) -> None:
    (found,) = problems(**changed)
    assert found.startswith("conclusions[0]")
    assert problem in found


def test_the_setting_may_be_left_out_where_there_is_one() -> None:
    claim = CLAIM | {"of": {"stage": "grpo"}, "against": {"stage": "sft"}}
    assert [*conclusion_problems(read_conclusions([claim]), ["run"], STAGES)] == []


def test_a_row_is_found_by_the_parts_of_its_name() -> None:
    rows = ["acc/rationale=look_first", "acc/rationale=conclude_first"]
    assert matching_rows("rationale=look_first", rows) == rows[:1]
    assert matching_rows("acc", rows) == rows
    assert matching_rows("iou+acc", ["iou+acc+format"]) == []
    assert matching_rows("acc", ["acc", "acc/seed_of=1"]) == ["acc"]
