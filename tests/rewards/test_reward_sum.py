from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest
from attempts import SIZES, attempt, box, completion, sample

from groundrl.answers.attempt import Attempt
from groundrl.boxes import Frame
from groundrl.grammar import GRAMMARS
from groundrl.records import Grounding, RolloutGroup, Score
from groundrl.rewards.base import RewardSum, RewardTerm
from groundrl.rewards.terms.acc import Acc
from groundrl.rewards.terms.iou import Iou


@dataclass(frozen=True)
class Always:
    needs: ClassVar[frozenset[str]] = frozenset()
    value: float | None
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        return self.value


def summed(terms: Mapping[str, RewardTerm]) -> RewardSum:
    return RewardSum(terms=terms, grammar=GRAMMARS["inline_box"], frame=Frame.MODEL)


GROUP = RolloutGroup(
    sample=sample(box(20, 20, 60, 60)),
    sizes=SIZES,
    completions=(
        completion("<think>[10,10,30,30 cup]</think><answer>red</answer>"),
        completion("<think>[10,10,30,20 cup]</think><answer>blue</answer>"),
        completion("no idea"),
    ),
)


def test_parts_are_weighted_and_summed_without_normalising() -> None:
    reward = summed({"acc": Acc(weight=2.0), "iou": Iou(weight=0.5)})
    ((gold, half, nothing),) = reward([GROUP])
    assert gold.score == Score(total=2.5, parts={"acc": 1.0, "iou": 1.0})
    assert half.score == Score(total=0.25, parts={"acc": 0.0, "iou": 0.5})
    assert nothing.score == Score(total=0.0, parts={"acc": 0.0, "iou": 0.0})


def test_each_score_comes_with_the_attempt_that_it_is_of() -> None:
    (group,) = summed({"acc": Acc()})([GROUP])
    assert [one.attempt.completion for one in group] == list(GROUP.completions)
    assert [one.attempt.parsed.answer for one in group] == ["red", "blue", "no idea"]
    cup = box(20, 20, 60, 60)  # the MODEL frame has half as many pixels
    assert group[0].attempt.predicted_boxes == [cup]


def test_groups_keep_their_order() -> None:
    scores = summed({"acc": Acc()})([GROUP, GROUP])
    assert [[one.score.total for one in group] for group in scores] == [[1.0, 0.0, 0.0]] * 2


def test_a_term_that_does_not_apply_is_left_out() -> None:
    reward = summed({"a": Always(None), "b": Always(0.25)})
    score = reward([GROUP])[0][0].score
    assert score == Score(total=0.25, parts={"a": None, "b": 0.25})


def test_no_applicable_term_gives_zero() -> None:
    score = summed({"a": Always(None)})([GROUP])[0][0].score
    assert score == Score(total=0.0, parts={"a": None})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_term_without_a_finite_value_is_loud(value: float) -> None:
    with pytest.raises(ValueError, match=r"reward term bad returned (nan|inf) for sample 's-1'"):
        summed({"bad": Always(value)})([GROUP])


def test_boxes_arrive_in_pixels_of_the_image() -> None:
    said = attempt(sample(), "<think>[10,10,30,30 cup]</think><answer>red</answer>", Frame.MODEL)
    cup = Grounding(label="cup", box=box(20, 20, 60, 60))
    assert said.parsed.groundings == (cup,)
    assert said.parsed.reasoning == (cup,)
    assert said.sizes is SIZES


def test_boxes_off_the_image_and_boxes_without_area_stay() -> None:
    said = attempt(sample(), "[-50,0,9000,9000 a][5,5,5,5 b]")
    assert said.predicted_boxes == [box(-50, 0, 9000, 9000), box(5, 5, 5, 5)]


def test_no_groundings_mean_nothing_there_only_where_presence_is_asked() -> None:
    assert attempt(sample(kind="exists"), "").true_boxes == []
    assert attempt(sample(kind="color"), "").true_boxes is None
    assert attempt(sample(box(1, 2, 3, 4)), "").true_boxes == [box(1, 2, 3, 4)]
