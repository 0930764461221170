"""Spatial relations: literal scenes, and the algebra that must hold in every scene."""

import pytest
from handmade_scenes import random_scene, scene, thing

from groundrl.relations import CONVERSE, Relation
from groundrl.world.relations import holds, is_ruled_out, relations

SCENES = [random_scene(index) for index in range(60)]


def test_a_cup_at_minus_half_a_metre_is_left_of_a_lamp_at_plus_half():
    cup, lamp = thing("red cup", x=-0.5), thing("blue lamp", x=0.5)
    pair = scene(cup, lamp)
    assert relations(pair) == ((0, Relation.LEFT_OF, 1), (1, Relation.RIGHT_OF, 0))


def test_a_borderline_pair_is_neither_left_nor_right_nor_ruled_out():
    cup, lamp = thing("red cup", x=0.0), thing("blue lamp", x=0.05, z=1.0)
    pair = scene(cup, lamp)
    for relation in (Relation.LEFT_OF, Relation.RIGHT_OF):
        assert not holds(relation, cup, lamp, pair)
        assert not is_ruled_out(relation, cup, lamp, pair)


def test_the_object_a_metre_nearer_is_in_front():
    cup, lamp = thing("red cup", z=0.0), thing("blue lamp", z=1.0)
    pair = scene(cup, lamp)
    assert relations(pair) == ((0, Relation.IN_FRONT_OF, 1), (1, Relation.BEHIND, 0))


def test_touching_cubes_are_near_and_distant_ones_are_clearly_not():
    cup, lamp, ball = thing("red cup"), thing("blue lamp", x=0.31), thing("gray ball", x=1.2)
    three = scene(cup, lamp, ball)
    assert holds(Relation.NEAR, cup, lamp, three)
    assert is_ruled_out(Relation.NEAR, cup, ball, three)


def test_a_tower_of_three_is_above_through_the_middle_one_but_on_it_only():
    box, book = thing("red box"), thing("blue book", y=0.3, support=0)
    cup = thing("gray cup", y=0.6, support=1)
    tower = scene(box, book, cup)
    assert holds(Relation.ABOVE, cup, box, tower)
    assert holds(Relation.BELOW, box, cup, tower)
    assert holds(Relation.ON, cup, book, tower)
    assert not holds(Relation.ON, cup, box, tower)


def test_an_object_stands_in_no_relation_to_itself():
    for one in SCENES:
        assert all(i != j for i, _, j in relations(one))


@pytest.mark.parametrize(("relation", "converse"), CONVERSE.items())
def test_every_relation_holds_exactly_when_its_converse_does(relation, converse):
    for one in SCENES:
        found = set(relations(one))
        forward = {(i, j) for i, r, j in found if r == relation}
        assert forward == {(j, i) for i, r, j in found if r == converse}


@pytest.mark.parametrize(
    "relation", [Relation.LEFT_OF, Relation.IN_FRONT_OF, Relation.ABOVE, Relation.ON]
)
def test_directed_relations_never_hold_both_ways(relation):
    for one in SCENES:
        forward = {(i, j) for i, r, j in relations(one) if r == relation}
        assert not forward & {(j, i) for i, j in forward}


def test_on_implies_above():
    stacked = [(one, i, j) for one in SCENES for i, r, j in relations(one) if r == Relation.ON]
    assert len(stacked) > 10
    assert all((i, Relation.ABOVE, j) in relations(one) for one, i, j in stacked)


def test_what_holds_is_never_ruled_out():
    for one in SCENES:
        for i, relation, j in relations(one):
            assert not is_ruled_out(relation, one.objects[i], one.objects[j], one)
