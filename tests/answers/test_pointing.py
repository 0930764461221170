"""Which true object a phrase points at."""

import pytest
from attempts import box

from groundrl.answers.pointing import true_object
from groundrl.boxes import Box
from groundrl.records import Grounding

LEFT, RIGHT = box(0, 0, 10, 10), box(20, 0, 30, 10)
TRUE = (Grounding(label="red cup", box=LEFT), Grounding(label="vase", box=RIGHT))


@pytest.mark.parametrize(
    ("label", "at", "found"),
    [
        ("red cup", LEFT, "red cup"),
        ("Red Cup", box(0, 0, 10, 5), "red cup"),
        ("cup", LEFT, "red cup"),
        ("mug", LEFT, "red cup"),
        ("mug", RIGHT, "vase"),
        ("", RIGHT, "vase"),
        # The name of one object with the box of another.
        ("cup", RIGHT, None),
        ("vase", LEFT, None),
        # An IoU below a half.
        ("red cup", box(0, 0, 10, 4), None),
        ("mug", box(50, 50, 60, 60), None),
    ],
)
def test_a_phrase_points_at_what_it_overlaps_unless_its_name_is_another_s(
    label: str, at: Box, found: str | None
) -> None:
    one = true_object(Grounding(label=label, box=at), TRUE)
    assert (None if one is None else one.label) == found


def test_of_two_objects_of_a_class_the_full_label_decides() -> None:
    true = (TRUE[0], Grounding(label="blue cup", box=RIGHT))
    assert true_object(Grounding(label="blue cup", box=LEFT), true) is None
    assert true_object(Grounding(label="cup", box=RIGHT), true) is true[1]


def test_nothing_is_pointed_at_where_nothing_is_known() -> None:
    assert true_object(TRUE[0], ()) is None
