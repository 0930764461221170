"""The yardstick of the audit, which knows no reward."""

import pytest
from attempts import attempt, box, sample

from groundrl.rewards.audit.yardstick import find_shortfalls, measure, says_exactly

OPTIONS = ("red cup", "blue cup", "bus")


@pytest.mark.parametrize(
    ("text", "right", "answers"),
    [
        ("red cup, bus", True, ("red cup", "bus")),
        ("Bus and red cup.", True, ("red cup", "bus")),
        ("A, C", True, ("red cup", "bus")),
        ("red cup", False, ("red cup", "bus")),
        ("red cup, bus, blue cup", False, ("red cup", "bus")),
        ("bus or blue cup", False, ("bus",)),
        ("not bus", False, ("bus",)),
        ("buѕ", False, ("bus",)),  # a Cyrillic letter
        ("", False, ("bus",)),
        (None, False, ("bus",)),
    ],
)
def test_an_answer_says_exactly_the_right_options_or_it_is_wrong(
    text: str | None, right: bool, answers: tuple[str, ...]
) -> None:
    assert says_exactly(text, sample(options=OPTIONS, answers=answers)) is right


def test_an_open_answer_is_one_of_the_accepted() -> None:
    of = sample(options=(), answers=("sofa", "couch"))
    assert says_exactly("Couch.", of)
    assert not says_exactly("sofa, couch", of)


def test_missing_and_extra_boxes_lower_the_boxes_and_a_wrong_name_the_labels() -> None:
    of = sample(box(0, 0, 50, 50), box(100, 0, 150, 50))
    text = "<think>[0,0,50,50 cup]{}</think><answer>red</answer>"
    assert measure(attempt(of, text.format("")))["groundings"] == 0.5
    both = measure(attempt(of, text.format("[100,0,150,50 dog]")))
    assert both == {"format": 1.0, "answers": 1.0, "groundings": 1.0, "labels": 0.5}
    spam = measure(attempt(of, text.format("[100,0,150,50 vase] [0,0,9,9 a] [0,0,9,9 b]")))
    assert spam["groundings"] == 0.5


def test_what_a_sample_says_nothing_about_is_not_measured() -> None:
    text = "<think>I look.</think><answer>red</answer>"
    assert measure(attempt(sample(answers=()), text)) == {"format": 1.0}
    absent = sample(kind="exists")
    assert measure(attempt(absent, text))["groundings"] == 1.0


def test_a_shortfall_is_more_than_rounding() -> None:
    assert find_shortfalls({"groundings": 0.985}, {"groundings": 1.0, "answers": 1.0}) == set()
    assert find_shortfalls({"groundings": 0.95}, {"groundings": 1.0}) == {"groundings"}
