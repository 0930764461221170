import pytest
from attempts import attempt, box, sample
from hypothesis import given, settings
from hypothesis import strategies as st

from groundrl.boxes import Box, iou
from groundrl.errors import UserError
from groundrl.records import Grounding
from groundrl.rewards.terms.acc import Acc
from groundrl.rewards.terms.consistency import Consistency
from groundrl.rewards.terms.detection import Detection, detection_score
from groundrl.rewards.terms.format import Format
from groundrl.rewards.terms.giou import Giou, matched_giou
from groundrl.rewards.terms.iou import Iou
from groundrl.rewards.terms.iou_best import IouBest, best_iou
from groundrl.rewards.terms.iou_map import IouMap, average_precision, penalised_map
from groundrl.rewards.terms.iou_mean_over_predictions import (
    IouMeanOverPredictions,
    mean_iou_over_predictions,
)
from groundrl.rewards.terms.point_in_box import PointInBox, points_in_boxes
from groundrl.rewards.terms.repetition import Repetition, repetition_penalty

LEFT, RIGHT = box(0, 0, 10, 10), box(20, 0, 30, 10)
HALF_LEFT = box(0, 0, 10, 5)
TWO = sample(LEFT, RIGHT)
GOLD = "<think>The [0,0,10,10 cup] and [20,0,30,10 vase].</think><answer>red</answer>"
BOX_TERMS = [Iou(), IouMeanOverPredictions(), IouBest(), IouMap(), Giou(), PointInBox()]
BOX_TERMS.append(Detection())
box_terms = pytest.mark.parametrize("term", BOX_TERMS, ids=lambda term: type(term).__name__)

coordinates = st.integers(0, 40)
boxes = st.builds(
    lambda x, y, w, h: box(x, y, x + w + 1, y + h + 1),
    coordinates, coordinates, coordinates, coordinates,
)  # fmt: skip
box_lists = st.lists(boxes, max_size=4)


@pytest.mark.parametrize("term", [Acc(), Format(), *BOX_TERMS])
def test_gold_scores_the_maximum(term: Acc | Format | Iou) -> None:
    assert term(attempt(TWO, GOLD)) == pytest.approx(1.0)


def test_gold_is_not_punished() -> None:
    assert Repetition()(attempt(TWO, GOLD)) == 0.0


@pytest.mark.parametrize(("answer", "value"), [("red", 1.0), ("A", 1.0), ("blue", 0.0), ("", 0.0)])
def test_acc_is_one_for_the_right_answer_only(answer: str, value: float) -> None:
    assert Acc()(attempt(TWO, f"<think></think><answer>{answer}</answer>")) == value


def test_acc_reads_one_answer_with_or_without_its_tag() -> None:
    assert Acc()(attempt(TWO, "<answer>red</answer><answer>blue</answer>")) == 0.0
    assert Acc()(attempt(TWO, "<think>It is not blue.</think>The answer is red.")) == 1.0
    assert Acc()(attempt(TWO, "<think>It is red.</think>")) == 0.0
    assert Acc()(attempt(TWO, "red")) == 1.0


def test_acc_gives_partial_credit_where_it_is_told_to() -> None:
    both = sample(LEFT, options=("red", "blue", "green"), answers=("red", "green"))
    said = attempt(both, "<think></think><answer>C, B</answer>")
    assert (Acc()(said), Acc(partial=True)(said)) == (0.0, 0.5)


def test_acc_does_not_apply_without_known_answers() -> None:
    assert Acc()(attempt(sample(LEFT, answers=(), options=()), GOLD)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<think>The cup.</think><answer>red</answer>",
        "<think>[0,0,10,10 cup]</think><answer> </answer>",
        "<think>[0,0,10,10 cup][1,2,3 vase]</think><answer>red</answer>",
        "<think>[0,0,10,10 ]</think><answer>red</answer>",
        "So <think>[0,0,10,10 cup]</think><answer>red</answer>",
        "<think>[0,0,10,10 cup]</think><answer>red</answer><answer>red</answer>",
        "<think>I see it.</think><answer>red [0,0,10,10 cup]</answer>",
    ],
)
def test_format_wants_thinking_that_points_then_one_answer(text: str) -> None:
    assert Format()(attempt(TWO, text)) == 0.0


def test_format_wants_no_box_where_none_is_known() -> None:
    assert Format()(attempt(sample(), "<think>Hm.</think><answer>red</answer>")) == 1.0


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("[20,0,30,10 vase][0,0,10,10 cup]", 1.0),
        ("[0,0,10,10 cup]", 0.5),
        ("[0,0,10,5 cup][20,0,30,10 vase]", 0.75),
        ("[0,0,10,10 cup][20,0,30,10 vase][0,0,10,10 cup]", 2 / 3),
        ("[0,0,10,10 cup][0,0,10,10 vase]", 0.5),
        ("[0,0,30,10 all]", 1 / 6),
        ("", 0.0),
    ],
)
def test_iou_charges_missing_and_extra_boxes(said: str, value: float) -> None:
    assert Iou()(attempt(TWO, said)) == pytest.approx(value)


@pytest.mark.parametrize("term", [Iou(), IouMap(), Giou(), PointInBox(), Detection()])
def test_pointing_at_nothing_is_right_where_nothing_is(term: Iou) -> None:
    absent = sample(kind="exists", options=("yes", "no"), answers=("no",))
    assert term(attempt(absent, "<think>None.</think><answer>no</answer>")) == 1.0
    # What a "no" compares with.
    assert term(attempt(absent, "<think>[0,0,9,9 cat]: no</think><answer>no</answer>")) == 1.0
    two = "<think>[0,0,9,9 dog] [0,0,9,9 dog]</think><answer>no</answer>"
    assert term(attempt(absent, two)) == 0.0


@box_terms
def test_box_terms_do_not_apply_where_boxes_are_unknown(term: Iou) -> None:
    assert term(attempt(sample(), GOLD)) is None
    assert term.needs == {"groundings"}


@pytest.mark.parametrize("term", BOX_TERMS[:-1], ids=lambda term: type(term).__name__)
def test_no_box_is_worth_nothing_where_there_is_something(term: Iou) -> None:
    assert term(attempt(TWO, "<think></think><answer>red</answer>")) == 0.0


def grounding(label: str, at: Box) -> Grounding:
    return Grounding(label=label, box=at)


def test_the_mean_over_predictions_never_asks_for_the_missing_box() -> None:
    assert IouMeanOverPredictions()(attempt(TWO, "<think>[0,0,10,10 cup]</think>")) == 1.0


def test_the_mean_over_predictions_counts_boxes_in_the_thinking_only() -> None:
    assert IouMeanOverPredictions()(attempt(TWO, "[0,0,10,10 cup]")) == 0.0


@pytest.mark.parametrize(
    ("predicted", "value"),
    [
        ([("Cup", LEFT)], 1.0),
        ([("cup", RIGHT)], 0.0),
        ([("mug", RIGHT)], 1.0),
        ([("cup", RIGHT), ("CUP", LEFT)], 1.0),
        ([("cup", LEFT), ("cup", RIGHT)], 0.0),
        ([("cup", HALF_LEFT), ("vase", RIGHT)], 0.75),
        ([("mug", LEFT), ("jug", LEFT)], 1.0),
    ],
)
def test_the_mean_over_predictions_goes_by_label(
    predicted: list[tuple[str, Box]], value: float
) -> None:
    true = [grounding("cup", LEFT), grounding("vase", RIGHT)]
    said = [grounding(label, at) for label, at in predicted]
    assert mean_iou_over_predictions(said, true) == pytest.approx(value)


def test_best_iou_never_charges_spam() -> None:
    assert best_iou([LEFT], [LEFT, RIGHT]) == 0.5
    assert (
        best_iou([LEFT, RIGHT, *[box(i, i, i + 5, i + 5) for i in range(30)]], [LEFT, RIGHT]) == 1
    )


@pytest.mark.parametrize(
    ("predicted", "true", "value"),
    [
        ([], [LEFT], 0.0),
        ([LEFT, RIGHT], [LEFT, RIGHT], 1.0),
        # IoU 0.5 passes the first of ten thresholds.
        ([HALF_LEFT], [LEFT], 0.1),
        # A hit, then a miss: AP 1, two boxes for one.
        ([LEFT, RIGHT], [LEFT], 0.5),
        # A miss, then a hit: AP 0.5.
        ([RIGHT, LEFT], [LEFT], 0.25),
        # One of two found: recalls 0.00 to 0.50 are 51 of 101 points.
        ([LEFT], [LEFT, RIGHT], 51 / 101),
        # The second copy finds its object taken.
        ([LEFT, LEFT], [LEFT], 0.5),
    ],
)
def test_map_is_average_precision_times_the_share_of_boxes(
    predicted: list[Box], true: list[Box], value: float
) -> None:
    assert penalised_map(predicted, true) == pytest.approx(value)


@pytest.mark.slow
@given(
    predicted=st.lists(boxes, min_size=1, max_size=5), true=st.lists(boxes, min_size=1, max_size=4)
)
@settings(max_examples=60, deadline=None)
def test_average_precision_agrees_with_its_definition(
    predicted: list[Box], true: list[Box]
) -> None:
    for threshold in (0.3, 0.5, 0.75):
        taken: set[int] = set()
        curve: list[tuple[float, float]] = []
        for count, one in enumerate(predicted, start=1):
            overlaps = [(iou(one, t), -j) for j, t in enumerate(true) if j not in taken]
            if overlaps and max(overlaps)[0] >= threshold:
                taken.add(-max(overlaps)[1])
            curve.append((len(taken) / len(true), len(taken) / count))
        points = [
            max((p for r, p in curve if r >= k / 100 - 1e-12), default=0.0) for k in range(101)
        ]
        expected = sum(points) / 101
        assert average_precision(predicted, true, threshold) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("predicted", "value"),
    [
        # All found, nothing else.
        ([("Cup ", LEFT), ("vase", RIGHT)], 1.0),
        # Nothing is no false alarm: 0.3 * (1 - (1 + 0) / 2).
        ([], 0.15),
        # One of two: 0.7 / 2 + 0.3 * (1 - (1/2 + 0) / 2).
        ([("cup", LEFT)], 0.575),
        # IoU 0.5 counts: 0.7 * 1.5 / 2 + 0.3.
        ([("cup", HALF_LEFT), ("vase", RIGHT)], 0.825),
        # Labels differ: two misses, two false alarms.
        ([("vase", LEFT), ("cup", RIGHT)], 0.0),
        # The better one is matched, the other is a false alarm: 0.7 / 2 + 0.3 * (1 - 1/2).
        ([("cup", HALF_LEFT), ("cup", LEFT)], 0.5),
        # One false alarm in three: 0.7 + 0.3 * (1 - (0 + 1/3) / 2).
        ([("cup", LEFT), ("vase", RIGHT), ("dog", LEFT)], 0.95),
    ],
)
def test_detection_weighs_overlap_misses_and_false_alarms(
    predicted: list[tuple[str, Box]], value: float
) -> None:
    true = [grounding("cup", LEFT), grounding("vase", RIGHT)]
    said = [grounding(label, at) for label, at in predicted]
    assert detection_score(said, true) == pytest.approx(value)


@given(
    predicted=st.lists(st.tuples(st.sampled_from("ab"), boxes), max_size=5),
    true=st.lists(st.tuples(st.sampled_from("ab"), boxes), min_size=1, max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_detection_stays_between_zero_and_one_and_does_not_depend_on_order(
    predicted: list[tuple[str, Box]], true: list[tuple[str, Box]]
) -> None:
    said, there = ([grounding(*one) for one in side] for side in (predicted, true))
    value = detection_score(said, there)
    assert 0.0 <= value <= 1.0 + 1e-9
    assert detection_score(there, there) >= value - 1e-9
    assert len({*said}) < len(said) or detection_score(said[::-1], there) == pytest.approx(value)


def test_giou_rises_as_a_box_comes_closer() -> None:
    values = [matched_giou([box(x, 0, x + 10, 10)], [LEFT]) for x in (100, 50, 15, 5, 0)]
    assert values == sorted(values)
    # Side by side: IoU 0, hull full, so GIoU 0.
    assert matched_giou([box(10, 0, 20, 10)], [LEFT]) == pytest.approx(0.5)
    assert matched_giou([LEFT, LEFT], [LEFT]) == pytest.approx(0.5)


def test_a_point_counts_where_its_matched_box_has_its_centre() -> None:
    assert points_in_boxes([box(2, 2, 8, 8)], [LEFT]) == 1.0
    assert points_in_boxes([box(4, 0, 20, 10)], [LEFT]) == 0.0
    assert points_in_boxes([LEFT, LEFT], [LEFT]) == 0.5


@given(predicted=box_lists, true=box_lists.filter(bool))
@settings(max_examples=60, deadline=None)
def test_box_scores_stay_between_zero_and_one_and_perfect_is_best(
    predicted: list[Box], true: list[Box]
) -> None:
    for score in (matched_giou, points_in_boxes, penalised_map, best_iou):
        assert 0.0 <= score(predicted, true) <= 1.0 + 1e-9
        assert score(true, true) >= score(predicted, true) - 1e-9


@pytest.mark.parametrize(
    ("text", "penalty"),
    [("", 0.0), ("a b", 0.0), ("a b c d", 0.0), ("a a a A", -0.5), ("a b c a b c a b c", -4 / 7)],
)
def test_repetition_is_the_share_of_repeated_trigrams(text: str, penalty: float) -> None:
    assert repetition_penalty(text, 3) == pytest.approx(penalty)
    assert Repetition()(attempt(TWO, text)) == pytest.approx(penalty)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(UserError, match="n=0"):
        Repetition(n=0)


@pytest.mark.parametrize("term", [Acc(), Format(), Consistency(), Repetition(), *BOX_TERMS])
@given(text=st.text(st.sampled_from("[]<>,0123456789 .-ehtinkansw/"), max_size=200))
@settings(max_examples=25, deadline=None)
def test_no_text_breaks_a_term(term: Acc, text: str) -> None:
    value = term(attempt(TWO, text))
    assert value is not None
    assert -1.0 <= value <= 1.0
