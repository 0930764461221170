"""Both levels become one: linked captions, objects, relations; and questions that follow."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthesis_views import SCENE_VERIFIER, region, scene_image, true_regions

from groundrl.detectors.oracle import OracleDetector
from groundrl.detectors.records import Region
from groundrl.errors import UserError
from groundrl.records import Grounding, Provenance, Segments
from groundrl.relations import Relation
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import Caption, CaptionedImage, Crop, ErrorKind, VerifiedCaption
from groundrl.synthesis.consistency import find_conflict
from groundrl.synthesis.merge import merge
from groundrl.synthesis.merged_questions import ASKERS, known_merged
from groundrl.synthesis.samples import QuestionPlan, make_samples
from groundrl.synthesis.teachers.world import WorldTeacher

IMAGE = scene_image(0)
CUP = region("cup", 10, 60, 40, 100)
OTHER_CUP = region("cup", 100, 20, 130, 60)
BOX = region("box", 60, 80, 90, 120)
SOURCE = Provenance(dataset="mine", split="all", licence="CC0")


def branch(one: Region, text: str | None) -> VerifiedCaption:
    crop = Crop(region=one, box=one.box)
    return VerifiedCaption(crop=crop, caption=Caption(text=text or "?"), verdicts=(), text=text)


def annotated(whole: str | None, *branches: VerifiedCaption) -> CaptionedImage:
    return CaptionedImage(
        image=IMAGE,
        regions=tuple(b.crop.region for b in branches if b.crop is not None),
        image_caption=VerifiedCaption(
            crop=None, caption=Caption(text="?"), verdicts=(), text=whole
        ),
        crop_captions=branches,
    )


def shown(caption: Segments) -> str:
    return "".join(part if isinstance(part, str) else f"[{part.label}]" for part in caption)


def test_a_caption_points_at_what_it_names_and_adds_what_it_does_not() -> None:
    merged = merge(
        annotated(
            "A red cup is left of a box. There are two cups.",
            branch(CUP, "This is a red cup."),
            branch(OTHER_CUP, "This is a blue cup. A blue cup is behind a box."),
            branch(BOX, "This is a green box."),
        )
    )
    assert shown(merged.caption) == (
        "A [red cup] is left of a [box]. There are two cups. There is also a [blue cup]."
    )
    boxes = [part.box for part in merged.caption if isinstance(part, Grounding)]
    assert boxes == [CUP.box, BOX.box, OTHER_CUP.box]
    assert merged.relations == ((0, Relation.LEFT_OF, 2), (1, Relation.BEHIND, 2))
    assert [one.label for one in merged.objects] == ["red cup", "blue cup", "green box"]


def test_what_can_be_meant_in_two_ways_is_not_pointed_at() -> None:
    merged = merge(
        annotated("A cup.", branch(CUP, "This is a cup."), branch(OTHER_CUP, "This is a cup."))
    )
    assert shown(merged.caption) == "A cup. There is also a [cup] and a [cup]."


def test_an_object_whose_caption_was_rejected_is_left_out_and_its_class_is_not_counted() -> None:
    merged = merge(annotated(None, branch(CUP, "This is a cup."), branch(OTHER_CUP, None)))
    assert shown(merged.caption) == "There is a [cup]."
    assert merged.uncertain == {"cup"}
    known = known_merged(merged, IMAGE, ("cup", "lamp"))
    assert known.absent == ("lamp",)
    assert ASKERS["count"](known, random.Random(0)) is None


def test_level_1_does_not_say_what_level_2_denied() -> None:
    regions = (CUP, BOX)
    branches = (branch(CUP, None), branch(BOX, "This is a green box."))
    found = find_conflict("There is a green box. A cup is left of a box.", regions, branches)
    assert found is not None
    assert found.repaired == "There is a green box."
    assert found.flaw is not None
    assert found.flaw.kind is ErrorKind.OBJECT
    recolored = find_conflict("There is a red box.", regions, branches)
    assert recolored is not None
    assert recolored.flaw is not None
    assert recolored.flaw.kind is ErrorKind.ATTRIBUTE
    assert recolored.repaired is None
    assert find_conflict("There is a green box and no cup.", regions, branches) is None


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(index=st.integers(0, 400), rate=st.sampled_from([0.0, 0.3, 1.0]))
def test_every_sample_of_a_scene_points_at_its_objects_and_follows(index: int, rate: float) -> None:
    annotator = Annotator(
        detector=OracleDetector(),
        teacher=WorldTeacher(error_rate=rate),
        verifier=SCENE_VERIFIER,
    )
    image = scene_image(index)
    outcome = annotator(image, {})
    assert outcome.annotated is not None
    made = make_samples(outcome.annotated, annotator, QuestionPlan(), SOURCE)
    true = {one.box for one in true_regions(image)}
    assert not made.dropped_kinds or rate == 1.0
    for sample in made.samples:
        assert {item.box for item in sample.groundings} <= true
        assert set(sample.answers) <= set(sample.options)
        assert sample.provenance.licence == "CC0"
    # Everything is known now: no role is called, and the result is the same.
    again = annotator(image, outcome.results)
    assert again.annotated == outcome.annotated
    assert again.results == {}


MERGED = merge(
    annotated(
        "A red cup is left of a green box. A green box is in front of a blue lamp.",
        branch(CUP, "This is a red cup."),
        branch(region("cup", 10, 10, 30, 30), "This is a blue cup."),
        branch(BOX, "This is a green box."),
        branch(region("lamp", 110, 10, 150, 40), "This is a blue lamp."),
    )
)


def test_captions_that_contradict_each_other_are_not_asked_about() -> None:
    both = replace(MERGED, relations=((2, Relation.BEHIND, 3), (3, Relation.BEHIND, 2)))
    assert ASKERS["depth"](known_merged(both, IMAGE, ()), random.Random(0)) is None


def test_images_are_held_out_by_their_pixels() -> None:
    questions = QuestionPlan(heldout_share=0.2)
    splits = [questions.choose_split(scene_image(index)) for index in range(1000)]
    assert 150 < splits.count("heldout") < 250
    twin = replace(scene_image(3), id="copy/of/3")
    assert questions.choose_split(twin) == questions.choose_split(scene_image(3))


def test_unknown_kinds_and_a_kind_given_twice_are_user_errors() -> None:
    unknown = "questions.kinds: unknown kind of question: colour; choose from exists"
    with pytest.raises(UserError, match=unknown):
        QuestionPlan(kinds=["colour"])
    with pytest.raises(UserError, match="a kind is given twice"):
        QuestionPlan(kinds=["color", "color"])
