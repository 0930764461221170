"""What is made wrong is wrong of every object of the class, and can be said."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.language.numbers import NUMBERS
from groundrl.questions.wrong_facts import wrong_colors, wrong_count, wrong_relation
from groundrl.relations import CONVERSE, Relation

COLORS = ("red", "blue", "green")


def test_a_wrong_colour_is_that_of_no_object_of_the_class() -> None:
    objects = [("cup", "red"), ("cup", "green"), ("box", "blue"), ("lamp", None)]
    assert wrong_colors("cup", objects, COLORS) == ["blue"]
    assert wrong_colors("lamp", objects, COLORS) == [*COLORS]


@given(true=st.sampled_from(Relation), seed=st.integers(0, 9))
def test_a_relation_becomes_its_converse_where_that_is_false(true: Relation, seed: int) -> None:
    false = [one for one in Relation if one is not true]
    wrong = wrong_relation(true, false, random.Random(seed))
    assert wrong in false
    if true is not Relation.NEAR:  # which is its own converse
        assert wrong == CONVERSE.get(true, wrong)
    other = [one for one in false if one != CONVERSE.get(true)]
    assert wrong_relation(true, other, random.Random(seed)) in other


@pytest.mark.parametrize(
    ("true", "wrong"), [(1, {2}), (2, {1, 3}), (len(NUMBERS) - 1, {len(NUMBERS) - 2})]
)
def test_a_wrong_count_is_one_off_and_has_a_word(true: int, wrong: set[int]) -> None:
    assert {wrong_count(true, random.Random(seed)) for seed in range(20)} == wrong
