"""A question is written down only where the boxes prove its answer; each test is a wrong one."""

import random
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from handmade_scenes import random_scene
from synthesis_views import box, region, scene_image

from groundrl.data.box_questions import known_annotations
from groundrl.data.detection.base import AnnotatedImage
from groundrl.questions.boxes import BOX_KINDS
from groundrl.questions.claims import ColorOf, Count, Described, Exists, Present, Where
from groundrl.questions.draft import Claim, Draft, make_sample
from groundrl.questions.draws import NumpyDraws
from groundrl.questions.known import KnownImage
from groundrl.questions.place_claims import Beside, Further
from groundrl.questions.proof import is_proven
from groundrl.questions.references import Reference
from groundrl.questions.sentences import Order, Rationale, decide, find, one_order, relate, tally
from groundrl.questions.yes_no import Numbered, Related
from groundrl.records import Grounding, ImageFile, Provenance, Sample
from groundrl.relations import Relation
from groundrl.synthesis.merge import MergedImage, MergedObject
from groundrl.synthesis.merged_questions import ASKERS, known_merged
from groundrl.world.known import known_scene
from groundrl.world.questions import ASKERS as SCENE_ASKERS

IMAGE = scene_image(0)
SOURCE = Provenance(dataset="mine", split="all", licence="CC0")


def merged_object(noun: str, color: str | None, *corners: float) -> MergedObject:
    return MergedObject(noun=noun, color=color, region=region(noun, *corners), caption="")


RED, BLUE = (
    merged_object("cup", "red", 10, 60, 40, 100),
    merged_object("cup", "blue", 10, 10, 30, 30),
)
BOX, LAMP = (
    merged_object("box", "green", 60, 80, 90, 120),
    merged_object("lamp", "blue", 110, 10, 150, 40),
)
MERGED = MergedImage(
    caption=(
        *("A ", Grounding(label="red cup", box=RED.region.box), " is left of a green box."),
        *(Grounding(label="blue lamp", box=LAMP.region.box), "."),
    ),
    objects=(RED, BLUE, BOX, LAMP),
    relations=((2, Relation.IN_FRONT_OF, 3),),
    uncertain=frozenset({"ball"}),
)
KNOWN = known_merged(MERGED, IMAGE, ("cup", "box", "lamp", "dog"))


def at(label: str, where: MergedObject) -> Grounding:
    return Grounding(label=label, box=where.region.box)


def made(draft: Draft, order: Order = "look_first") -> Sample:
    return make_sample(
        draft, id="id", image=IMAGE.source, kind="kind", provenance=SOURCE, order=order
    )


def proven(
    claim: Claim,
    *rationale: str | Grounding | Rationale,
    answers: str = "",
    options: str = "",
    any_object: bool = False,
) -> bool:
    """In both orders; ``rationale`` is one in both, or the parts of one."""
    parts = [part for part in rationale if not isinstance(part, Rationale)]
    given = [part for part in rationale if isinstance(part, Rationale)]
    draft = Draft(
        claim=claim,
        rationale=given[0] if given else one_order(tuple(parts)),
        answers=tuple(answers.split()),
        options=tuple(options.split()),
        any_object=any_object,
    )
    (verdict,) = {is_proven(made(draft, order), claim, KNOWN) for order in get_args(Order)}
    return verdict


def a(noun: str, color: str | None = None, extreme: str = "") -> Reference:
    return Reference(noun=noun, color=color, extreme=extreme)


def test_existence_is_proven_by_all_boxes_of_the_class() -> None:
    lamp, dog, cup = (Exists(what=a(noun)) for noun in ("lamp", "dog", "cup"))
    for wording in range(2):
        found = decide([at("lamp", LAMP)], "a lamp", found=True)[wording]
        assert proven(lamp, found, answers="yes")
        assert not proven(lamp, found, answers="no")
        assert not proven(lamp, decide([], "a lamp", found=False)[wording], answers="no")
        assert not proven(dog, found, answers="yes")
        only = decide([at("cup", RED)], "a cup", found=True)[wording]
        assert not proven(cup, only, answers="yes")
        # Boxes of balls were thrown away; there may be some.
        ball = decide([], "a ball", found=False)[wording]
        assert not proven(Exists(what=a("ball")), ball, answers="no")


def test_a_no_compares_with_one_object_or_with_none() -> None:
    dog = Exists(what=a("dog"))
    lamp, box = at("lamp", LAMP), at("box", BOX)
    for wording in range(2):
        assert proven(dog, decide([], "a dog", found=False)[wording], answers="no")
        one = decide([lamp], "a dog", found=False)[wording]
        assert proven(dog, one, answers="no", any_object=True)
        assert not proven(dog, one, answers="yes", any_object=True)
        assert not proven(dog, decide([at("dog", LAMP)], "a dog", found=False)[wording])
        two = decide([lamp, box], "a dog", found=False)[wording]
        assert not proven(dog, two, answers="no", any_object=True)
    # The reasoning says yes.
    assert not proven(dog, decide([lamp], "a dog", found=True)[0], answers="no", any_object=True)


def test_numbers_are_proven_by_all_boxes_of_the_class() -> None:
    red, blue, cups = at("cup", RED), at("cup", BLUE), Count(what=a("cup"))
    for wording in range(2):
        assert proven(cups, tally([red, blue], "2")[wording], answers="2")
        assert proven(cups, tally([red, blue], "two")[wording], answers="two")
        assert not proven(cups, tally([red, blue], "3")[wording], answers="3")
        assert not proven(cups, tally([red, blue], "3")[wording], answers="2")
        assert not proven(cups, tally([red], "1")[wording], answers="1")
        dogs = Count(what=a("dog"))
        assert not proven(dogs, tally([at("lamp", LAMP)], "1")[wording], answers="1")
        assert not proven(cups, tally([red, red], "2")[wording], answers="2")


def test_the_side_that_is_asked_for_is_the_one_that_is_proven() -> None:
    box, lamp = at("box", BOX), at("lamp", LAMP)
    left = Further(relation=Relation.LEFT_OF, nouns=("lamp", "box"))
    right = Further(relation=Relation.RIGHT_OF, nouns=("lamp", "box"))
    assert proven(left, relate([box], Relation.LEFT_OF, lamp)[0], answers="box")
    assert proven(right, relate([lamp], Relation.RIGHT_OF, box)[0], answers="lamp")
    assert not proven(right, relate([box], Relation.LEFT_OF, lamp)[0], answers="box")
    assert not proven(left, relate([lamp], Relation.LEFT_OF, box)[0], answers="lamp")
    assert not proven(left, relate([box], Relation.LEFT_OF, lamp)[0], answers="lamp")
    # Two cups: which one is meant?
    cups = Further(relation=Relation.LEFT_OF, nouns=("cup", "lamp"))
    cup = at("cup", RED)
    assert not proven(cups, relate([cup], Relation.LEFT_OF, lamp)[0], answers="cup")
    others = Further(relation=Relation.LEFT_OF, nouns=("dog", "lamp"))
    assert not proven(others, relate([box], Relation.LEFT_OF, lamp)[0], answers="box")


def test_depth_is_proven_by_a_caption_that_the_boxes_do_not_deny() -> None:
    nearer = Further(relation=Relation.IN_FRONT_OF, nouns=("lamp", "box"))
    box, lamp = at("box", BOX), at("lamp", LAMP)
    assert proven(nearer, relate([box], Relation.IN_FRONT_OF, lamp)[0], answers="box")
    farther = Further(relation=Relation.BEHIND, nouns=("lamp", "box"))
    assert not proven(farther, relate([lamp], Relation.BEHIND, box)[0], answers="lamp")
    assert not proven(farther, relate([box], Relation.IN_FRONT_OF, lamp)[0], answers="box")


@pytest.mark.parametrize(
    ("which", "right"),
    [("red", RED), ("rightmost", None), ("largest", RED), ("leftmost", BLUE), ("", None)],
)
def test_the_object_that_is_meant_is_in_the_box(which: str, right: MergedObject | None) -> None:
    claim = Where(what=a("cup", "red") if which == "red" else a("cup", extreme=which))
    for one in (RED, BLUE):
        found = proven(claim, "Here is the ", at("cup", one), ".")
        # The blue one is leftmost by its centre, and the red one then rightmost.
        assert found == (one is (right or (RED if which == "rightmost" else None)))
    assert not proven(claim, "Here is the ", at("lamp", LAMP), ".")
    assert not proven(claim, "Here is the ", at("red cup", LAMP), ".")
    assert not proven(claim, "Here is the ", at("red cup", BLUE), ".")


def test_the_only_one_is_the_only_one() -> None:
    assert proven(Where(what=a("lamp")), "The only ", at("lamp", LAMP), " is here.")
    assert not proven(Where(what=a("lamp", extreme="leftmost")), "Of them ", at("lamp", LAMP), ".")
    assert not proven(Where(what=a("lamp")), "The only ", at("box", BOX), " is here.")


def test_colours_are_of_the_only_thing_of_its_class() -> None:
    assert proven(ColorOf(what=a("lamp")), "The ", at("lamp", LAMP), " is blue.", answers="blue")
    assert not proven(ColorOf(what=a("lamp")), "The ", at("lamp", LAMP), " is red.", answers="red")
    assert not proven(
        ColorOf(what=a("lamp")), "The ", at("box", BOX), " is green.", answers="green"
    )
    assert not proven(ColorOf(what=a("cup")), "The ", at("cup", RED), " is red.", answers="red")


def test_several_answers_are_all_right_ones_and_no_others() -> None:
    seen = ("I see ", at("box", BOX), " and ", at("lamp", LAMP), ".")
    assert proven(Present(), *seen, answers="box lamp", options="box dog lamp")
    assert not proven(Present(), *seen, answers="box lamp", options="box cup lamp")
    assert not proven(Present(), *seen, answers="box lamp", options="box ball lamp")
    assert not proven(Present(), "I see ", answers="dog", options="dog cat")
    assert not proven(Present(), *seen, answers="box", options="box dog")
    left = Beside(relation=Relation.LEFT_OF, anchor=a("lamp"))
    told = find([at("box", BOX)], Relation.LEFT_OF, at("lamp", LAMP))[0]
    assert proven(left, told, answers="box", options="box dog")
    assert not proven(left, told, answers="box", options="box cup")
    right = Beside(relation=Relation.RIGHT_OF, anchor=a("lamp"))
    assert not proven(right, told, answers="box", options="box dog")


def test_phrases_name_what_is_in_their_boxes() -> None:
    described = Described(question="Describe the picture.")
    assert proven(described, "A ", at("Red metal CUP", RED), ".")
    assert not proven(described, "A ", at("blue cup", RED), ".")
    assert not proven(described, "A ", at("cup", LAMP), ".")
    assert not proven(described, "Nothing.")
    strange = Grounding(label="cup", box=region("cup", 0, 0, 5, 5).box)
    assert not proven(described, "A ", strange, ".")


@pytest.mark.parametrize("kind", ASKERS)
def test_a_question_is_proven_and_with_another_answer_it_is_not(kind: str) -> None:
    draft = ASKERS[kind](KNOWN, random.Random(0))
    assert draft is not None
    check_only_the_answer_is_proven(draft, KNOWN)


def check_only_the_answer_is_proven(draft: Draft, image: KnownImage) -> None:
    for order in get_args(Order):
        check_sample(made(draft, order), draft, image)


def check_sample(sample: Sample, draft: Draft, image: KnownImage) -> None:
    assert is_proven(sample, draft.claim, image), sample
    wrong = [option for option in sample.options if option not in sample.answers]
    others = [(option,) for option in wrong] or [("cup",) if not sample.answers else ()]
    for answers in others:
        assert not is_proven(replace(sample, answers=answers), draft.claim, image), sample
    assert not is_proven(replace(sample, question="Where is it?"), draft.claim, image)
    if sample.groundings and sample.answers != ("no",):
        fewer = replace(sample, groundings=sample.groundings[1:])
        assert not is_proven(fewer, draft.claim, image), sample
    if isinstance(draft.claim, Exists | Count | Further | Related | Numbered):
        strange = replace(sample, rationale=(*(sample.rationale or ()), " So it is."))
        assert not is_proven(strange, draft.claim, image), sample


@pytest.mark.slow
@pytest.mark.parametrize("kind", SCENE_ASKERS)
def test_every_question_about_a_scene_is_proven(kind: str) -> None:
    asked = 0
    for index in range(60):
        image = known_scene(random_scene(index))
        draft = SCENE_ASKERS[kind](image, NumpyDraws(np.random.default_rng(index)))
        if draft is not None:
            asked += 1
            check_only_the_answer_is_proven(draft, image)
    assert asked > 20


@pytest.mark.parametrize("kind", BOX_KINDS)
def test_every_question_about_boxes_is_proven(kind: str) -> None:
    asked = 0
    names = ("bus", "cat", "cup", "Platelets")
    for seed in range(60):
        rng = random.Random(seed)
        items = []
        for _ in range(rng.randint(1, 6)):
            x, y = rng.uniform(0, 150), rng.uniform(0, 70)
            place = box(x, y, x + rng.uniform(5, 50), y + rng.uniform(5, 30))
            items.append(Grounding(label=rng.choice(names), box=place))
        image = known_annotations(
            AnnotatedImage(
                id="p",
                image=ImageFile(path=Path("p.jpg"), width=200, height=100),
                groundings=tuple(items),
            ),
            names,
        )
        draft = BOX_KINDS[kind](image, rng)
        if draft is not None:
            asked += 1
            check_only_the_answer_is_proven(draft, image)
    assert asked > 20


def test_a_relation_that_the_boxes_deny_is_not_proven() -> None:
    denied = replace(MERGED, relations=((2, Relation.BEHIND, 3),))
    image = known_merged(denied, IMAGE, ())
    draft = ASKERS["depth"](image, random.Random(0))
    assert draft is not None
    assert not is_proven(made(draft), draft.claim, image)


def test_two_objects_in_one_box_are_distinguished_by_their_names() -> None:
    mug = merged_object("mug", None, *LAMP.region.box.corners)
    image = known_merged(replace(MERGED, objects=(*MERGED.objects, mug)), IMAGE, ())
    draft = Draft(
        claim=Where(what=a("lamp")),
        rationale=one_order(("The only ", at("lamp", LAMP), " is here.")),
    )
    assert is_proven(made(draft), draft.claim, image)
