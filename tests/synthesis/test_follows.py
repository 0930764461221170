"""A question is written down only where the boxes prove its answer; each test is a wrong one."""

import random
from dataclasses import replace

import pytest
from synthesis_views import region, scene_image

from groundrl.data.box_questions import Draft, placed
from groundrl.data.claims import (
    Beside,
    Claim,
    Colored,
    Count,
    Described,
    Exists,
    Further,
    Present,
    Where,
)
from groundrl.detectors.records import Region
from groundrl.records import Grounding, Provenance
from groundrl.relations import Relation
from groundrl.synthesis.follows import follows
from groundrl.synthesis.merge import Merged, Thing
from groundrl.synthesis.questions import KINDS, boxes_of, draft, sample_of

IMAGE = scene_image(0)
SOURCE = Provenance(dataset="mine", split="all", licence="CC0")


def thing(label: str, color: str | None, *corners: float) -> Thing:
    return Thing(noun=label, color=color, region=region(label, *corners), caption="")


RED, BLUE = thing("cup", "red", 10, 60, 40, 100), thing("cup", "blue", 10, 10, 30, 30)
BOX, LAMP = thing("box", "green", 60, 80, 90, 120), thing("lamp", "blue", 110, 10, 150, 40)
MERGED = Merged(
    caption=(
        *("A ", Grounding(label="red cup", box=RED.region.box), " is left of a green box."),
        *(Grounding(label="blue lamp", box=LAMP.region.box), "."),
    ),
    things=(RED, BLUE, BOX, LAMP),
    relations=((2, Relation.IN_FRONT_OF, 3),),
    uncertain=frozenset({"ball"}),
)


def at(label: str, where: Thing) -> Grounding:
    return Grounding(label=label, box=where.region.box)


def proven(claim: Claim, *rationale: str | Grounding, answers: str = "", options: str = "") -> bool:
    one = Draft(
        claim=claim,
        rationale=rationale,
        answers=tuple(answers.split()),
        options=tuple(options.split()),
    )
    return follows(sample_of(one, "kind", IMAGE, SOURCE), claim, MERGED)


def test_existence_is_proven_by_all_boxes_of_the_class() -> None:
    assert proven(Exists(noun="lamp"), "I see ", at("lamp", LAMP), ".", answers="yes")
    assert proven(Exists(noun="dog"), "I look for a dog and find none.", answers="no")
    assert not proven(Exists(noun="lamp"), "I look for a lamp and find none.", answers="no")
    assert not proven(Exists(noun="dog"), "I see ", at("lamp", LAMP), ".", answers="yes")
    assert not proven(Exists(noun="dog"), "I see ", at("dog", LAMP), ".", answers="yes")
    assert not proven(Exists(noun="cup"), "I see ", at("cup", RED), ".", answers="yes")
    # Boxes of balls were dropped; there may be some.
    assert not proven(Exists(noun="ball"), "I look for a ball and find none.", answers="no")


def test_numbers_are_proven_by_all_boxes_of_the_class() -> None:
    both = ("There are ", at("cup", RED), " and ", at("cup", BLUE), ".")
    assert proven(Count(noun="cup"), *both, answers="2")
    assert not proven(Count(noun="cup"), *both, answers="3")
    assert not proven(Count(noun="cup"), "There is ", at("cup", RED), ".", answers="1")
    assert not proven(Count(noun="dog"), "There is ", at("lamp", LAMP), ".", answers="1")
    twice = ("There are ", at("cup", RED), " and ", at("cup", RED), ".")
    assert not proven(Count(noun="cup"), *twice, answers="2")


def test_the_side_that_is_asked_for_is_the_one_that_is_proven() -> None:
    box, lamp = at("box", BOX), at("lamp", LAMP)
    left = Further(relation=Relation.LEFT_OF, nouns=("lamp", "box"))
    right = Further(relation=Relation.RIGHT_OF, nouns=("lamp", "box"))
    assert proven(left, *placed([box], Relation.LEFT_OF, lamp), answers="box")
    assert proven(right, *placed([lamp], Relation.RIGHT_OF, box), answers="lamp")
    assert not proven(right, *placed([box], Relation.LEFT_OF, lamp), answers="box")
    assert not proven(left, *placed([lamp], Relation.LEFT_OF, box), answers="lamp")
    assert not proven(left, *placed([box], Relation.LEFT_OF, lamp), answers="lamp")
    # Two cups: nobody knows which one is meant.
    cups = Further(relation=Relation.LEFT_OF, nouns=("cup", "lamp"))
    cup = at("cup", RED)
    assert not proven(cups, *placed([cup], Relation.LEFT_OF, lamp), answers="cup")
    others = Further(relation=Relation.LEFT_OF, nouns=("dog", "lamp"))
    assert not proven(others, *placed([box], Relation.LEFT_OF, lamp), answers="box")


def test_depth_is_proven_by_a_caption_that_the_boxes_do_not_deny() -> None:
    nearer = Further(relation=Relation.IN_FRONT_OF, nouns=("lamp", "box"))
    box, lamp = at("box", BOX), at("lamp", LAMP)
    assert proven(nearer, *placed([box], Relation.IN_FRONT_OF, lamp), answers="box")
    farther = Further(relation=Relation.BEHIND, nouns=("lamp", "box"))
    assert not proven(farther, *placed([lamp], Relation.BEHIND, box), answers="lamp")
    assert not proven(farther, *placed([box], Relation.IN_FRONT_OF, lamp), answers="box")


@pytest.mark.parametrize(
    ("which", "right"),
    [("red", RED), ("rightmost", None), ("largest", RED), ("leftmost", BLUE), ("", None)],
)
def test_the_one_that_is_meant_is_the_one_in_the_box(which: str, right: Thing | None) -> None:
    claim = Where(noun="cup", which=which)
    for one in (RED, BLUE):
        found = proven(claim, "Here is the ", at("cup", one), ".")
        # The blue one is leftmost by its centre, and the red one then rightmost.
        assert found == (one is (right or (RED if which == "rightmost" else None)))
    assert not proven(claim, "Here is the ", at("lamp", LAMP), ".")
    assert not proven(claim, "Here is the ", at("red cup", LAMP), ".")
    assert not proven(claim, "Here is the ", at("red cup", BLUE), ".")


def test_the_only_one_is_the_only_one() -> None:
    assert proven(Where(noun="lamp"), "The only ", at("lamp", LAMP), " is here.")
    assert not proven(Where(noun="lamp", which="leftmost"), "Of them ", at("lamp", LAMP), ".")
    assert not proven(Where(noun="lamp"), "The only ", at("box", BOX), " is here.")


def test_colours_are_of_the_only_thing_of_its_class() -> None:
    assert proven(Colored(noun="lamp"), "The ", at("lamp", LAMP), " is blue.", answers="blue")
    assert not proven(Colored(noun="lamp"), "The ", at("lamp", LAMP), " is red.", answers="red")
    assert not proven(Colored(noun="lamp"), "The ", at("box", BOX), " is green.", answers="green")
    assert not proven(Colored(noun="cup"), "The ", at("cup", RED), " is red.", answers="red")


def test_several_answers_are_all_right_ones_and_no_others() -> None:
    seen = ("I see ", at("box", BOX), " and ", at("lamp", LAMP), ".")
    assert proven(Present(), *seen, answers="box lamp", options="box dog lamp")
    assert not proven(Present(), *seen, answers="box lamp", options="box cup lamp")
    assert not proven(Present(), *seen, answers="box lamp", options="box ball lamp")
    assert not proven(Present(), "I see ", answers="dog", options="dog cat")
    assert not proven(Present(), *seen, answers="box", options="box dog")
    left = Beside(relation=Relation.LEFT_OF, anchor="lamp")
    told = placed([at("box", BOX)], Relation.LEFT_OF, at("lamp", LAMP))
    assert proven(left, *told, answers="box", options="box dog")
    assert not proven(left, *told, answers="box", options="box cup")
    right = Beside(relation=Relation.RIGHT_OF, anchor="lamp")
    assert not proven(right, *told, answers="box", options="box dog")


def test_phrases_name_what_is_in_their_boxes() -> None:
    described = Described(question="Describe the picture.")
    assert proven(described, "A ", at("Red metal CUP", RED), ".")
    assert not proven(described, "A ", at("blue cup", RED), ".")
    assert not proven(described, "A ", at("cup", LAMP), ".")
    assert not proven(described, "Nothing.")
    strange = Grounding(label="cup", box=region("cup", 0, 0, 5, 5).box)
    assert not proven(described, "A ", strange, ".")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_asked_follows_and_with_another_answer_does_not(kind: str) -> None:
    boxes = boxes_of(MERGED, IMAGE, ("cup", "box", "lamp", "dog"))
    one = draft(kind, MERGED, boxes, random.Random(0))
    assert one is not None
    sample = sample_of(one, kind, IMAGE, SOURCE)
    assert follows(sample, one.claim, MERGED)
    left = [option for option in sample.options if option not in sample.answers]
    assert not follows(replace(sample, answers=tuple(left[:1]) or ("cup",)), one.claim, MERGED)
    assert not follows(replace(sample, question="Where is it?"), one.claim, MERGED)


def test_a_relation_that_the_boxes_deny_does_not_follow() -> None:
    denied = replace(MERGED, relations=((2, Relation.BEHIND, 3),))
    one = draft("depth", denied, boxes_of(denied, IMAGE, ()), random.Random(0))
    assert one is not None
    assert not follows(sample_of(one, "depth", IMAGE, SOURCE), one.claim, denied)


def test_two_things_in_one_box_are_told_apart_by_their_names() -> None:
    twin = Region(label="mug", box=LAMP.region.box, score=1.0)
    mug = Thing(noun="mug", color=None, region=twin, caption="")
    both = replace(MERGED, things=(*MERGED.things, mug))
    one = Draft(claim=Where(noun="lamp"), rationale=("The only ", at("lamp", LAMP), " is here."))
    assert follows(sample_of(one, "locate", IMAGE, SOURCE), one.claim, both)
