"""What boxes show of relations: the wide margin of questions, the narrow one of proofs."""

from synthesis_views import box

from groundrl.questions.box_relations import agrees, extremes, is_beside
from groundrl.relations import Relation

SIZE = (200, 100)


def test_sides_need_a_clear_gap() -> None:
    cat, dog = box(0, 0, 50, 50), box(50, 0, 100, 50)
    assert is_beside(Relation.LEFT_OF, cat, dog, *SIZE)
    assert is_beside(Relation.RIGHT_OF, dog, cat, *SIZE)
    assert not is_beside(Relation.LEFT_OF, cat, box(49, 0, 100, 50), *SIZE)
    assert not is_beside(Relation.LEFT_OF, box(0, 0, 4, 50), box(4, 0, 8, 50), *SIZE)
    below = box(0, 50, 100, 60)
    assert is_beside(Relation.ABOVE, cat, below, *SIZE)
    assert is_beside(Relation.BELOW, below, cat, *SIZE)


def test_extremes_need_a_clear_lead() -> None:
    assert extremes([box(0, 0, 40, 40), box(8, 50, 48, 90)], *SIZE) == {}
    assert extremes([box(0, 0, 40, 40)], *SIZE) == {}
    small, big = box(0, 0, 40, 40), box(100, 0, 160, 80)
    assert extremes([small, big], *SIZE) == {"leftmost": 0, "rightmost": 1, "largest": 1}


def test_between_both_margins_nothing_is_asked_and_nothing_is_denied() -> None:
    a = box(10, 0, 30, 40)
    for shift, asked, verdict in ((3, False, None), (8, False, True), (30, True, True)):
        b = box(10 + shift, 0, 30 + shift, 40)
        assert is_beside(Relation.LEFT_OF, a, b, *SIZE) == asked
        assert agrees(Relation.LEFT_OF, a, b, [a, b], *SIZE) is verdict
        assert agrees(Relation.RIGHT_OF, a, b, [a, b], *SIZE) is (False if verdict else None)


def test_of_two_objects_the_one_with_the_lower_edge_is_nearer() -> None:
    near, far = box(0, 20, 40, 90), box(60, 10, 100, 40)
    assert agrees(Relation.IN_FRONT_OF, near, far, [near, far], *SIZE) is True
    assert agrees(Relation.BEHIND, near, far, [near, far], *SIZE) is False
    # A bottle on a table may be as near as the table.
    table, bottle = box(50, 30, 120, 95), box(60, 10, 80, 40)
    assert agrees(Relation.BEHIND, bottle, near, [near, table, bottle], *SIZE) is None
