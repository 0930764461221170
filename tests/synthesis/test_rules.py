"""The offline verifier finds each kind of error, repairs what it can, and keeps true captions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthesis_views import SCENE_VERIFIER, box, region, scene, scene_image, view

from groundrl.synthesis.annotations import Crop, Decision, ErrorKind, Verdict
from groundrl.synthesis.roles import ImageView
from groundrl.synthesis.verifiers.rules import RuleVerifier

IMAGE = scene_image(0)
REGIONS = (
    region("red cup", 10, 60, 40, 100),
    region("blue cup", 100, 20, 130, 60),
    region("green box", 60, 80, 90, 120),
)
WHOLE = view(IMAGE, REGIONS)
CUP = view(IMAGE, REGIONS, Crop(region=REGIONS[0], box=box(0, 50, 48, 110)))


def judged(text: str, shown: ImageView = WHOLE) -> Verdict:
    (verdict,) = SCENE_VERIFIER([(shown, text)])
    assert verdict is not None
    return verdict


@pytest.mark.parametrize(
    "text",
    [
        "A red cup is left of a green box. There are two cups in all.",
        "A blue cup is behind a green box.",
        "The image shows a nice afternoon with a zebra finch on wallpaper.",
        "There are no lamps. One box.",
    ],
)
def test_a_statement_that_nothing_contradicts_is_kept(text: str) -> None:
    assert judged(text).decision is Decision.KEEP


@pytest.mark.parametrize(
    ("text", "kind", "repaired"),
    [
        ("A red cup. There is a lamp.", ErrorKind.OBJECT, "A red cup."),
        ("There are three cups in all.", ErrorKind.COUNT, "There are two cups in all."),
        ("There are two boxes in all.", ErrorKind.COUNT, "There is one box in all."),
        ("A cup. No boxes.", ErrorKind.COUNT, "A cup."),
        (
            "A red cup is right of a green box.",
            ErrorKind.RELATION,
            "A red cup is left of a green box.",
        ),
        (
            "A blue cup is in front of a green box.",
            ErrorKind.RELATION,
            "A blue cup is behind a green box.",
        ),
    ],
)
def test_errors_are_found_and_repaired(text: str, kind: ErrorKind, repaired: str) -> None:
    verdict = judged(text)
    assert verdict.decision is Decision.REPAIR
    assert verdict.flaw is not None
    assert (verdict.flaw.kind, verdict.repaired) == (kind, repaired)
    assert verdict.flaw.span in text
    assert judged(repaired).decision is Decision.KEEP


@pytest.mark.parametrize("said", ["in front of", "behind"])
def test_an_object_on_another_may_be_nearer_than_its_lower_edge(said: str) -> None:
    carrier, other = region("green box", 10, 60, 60, 120), region("red lamp", 90, 40, 120, 100)
    on_top, on_the_ground = region("blue cup", 20, 40, 50, 75), region("blue cup", 65, 30, 85, 75)
    text = f"A blue cup is {said} a red lamp."
    raised = view(IMAGE, [on_top, carrier, other])
    assert judged(text, raised).decision is Decision.KEEP
    grounded = view(IMAGE, [on_the_ground, carrier, other])
    assert (judged(text, grounded).decision is Decision.KEEP) == (said == "behind")


def test_a_colour_is_right_where_the_label_or_the_pixels_have_it() -> None:
    thing = scene(IMAGE).objects[0]
    regions = [region(thing.category, *thing.box.corners)]
    shown = view(IMAGE, regions)
    assert judged(f"A {thing.color} {thing.category}.", shown).decision is Decision.KEEP
    other = "purple" if thing.color in ("green", "yellow", "cyan") else "green"
    verdict = judged(f"A {other} {thing.category}.", shown)
    assert verdict.flaw is not None
    assert verdict.flaw.kind is ErrorKind.ATTRIBUTE
    labelled = view(IMAGE, [region(f"{other} {thing.category}", *thing.box.corners)])
    assert judged(f"A {other} {thing.category}.", labelled).decision is Decision.KEEP


def test_a_crop_is_about_its_region_and_shows_what_lies_in_it() -> None:
    assert judged("This is a red cup. There is one cup in all.", CUP).decision is Decision.KEEP
    assert judged("This is a green box.", CUP).decision is Decision.REJECT
    verdict = judged("This is a red cup. There is a green box.", CUP)
    assert verdict.repaired == "This is a red cup."
    alone = judged("A lamp is on a red cup.", CUP)
    assert alone.decision is Decision.REJECT
    assert alone.flaw is not None
    assert alone.flaw.kind is ErrorKind.OBJECT


PHOTO = (
    region("person", 10, 10, 60, 110),
    region("person", 100, 10, 140, 110),
    region("bicycle", 5, 60, 70, 120),
    region("dining table", 70, 80, 150, 120),
    region("tv", 70, 5, 95, 40),
)
ON_A_BIKE = view(IMAGE, PHOTO, Crop(region=PHOTO[0], box=box(0, 0, 75, 120)))
CLASSES = RuleVerifier(vocabulary=["person", "bicycle", "dining table", "tv", "dog", "sheep"])


def seen(text: str, shown: ImageView | None = None) -> Verdict:
    """The verdict on a caption of a photograph, from a verifier of six classes."""
    (verdict,) = CLASSES([(shown or view(IMAGE, PHOTO), text)])
    assert verdict is not None
    return verdict


@pytest.mark.parametrize(
    "text",
    [
        "A man in a red shirt rides a bike.",
        "A girl sits on a bike.",
        "Somebody dressed in red on bicycle wheels.",
        "A surfer waits.",
    ],
)
def test_a_crop_may_be_described_with_synonyms(text: str) -> None:
    assert seen(text, ON_A_BIKE).decision is Decision.KEEP


@pytest.mark.parametrize(
    "text",
    [
        "A television stands behind a wooden table.",
        "There is one man and one woman.",
        "There are three tables, no men and seven chairs.",
        "Two people, one of them in a car. There are two cars.",
    ],
)
def test_a_class_outside_the_vocabulary_is_not_denied(text: str) -> None:
    assert seen(text).decision is Decision.KEEP


@pytest.mark.parametrize(
    ("text", "kind", "span"),
    [
        ("A TV. A dog in a car.", ErrorKind.OBJECT, "dog"),
        ("A TV. There are three women.", ErrorKind.COUNT, "three women"),
        ("A TV. There are two bikes.", ErrorKind.COUNT, "two bikes"),
        ("A TV. There are no tables.", ErrorKind.COUNT, "no tables"),
    ],
)
def test_a_class_of_the_vocabulary_is_denied_under_all_its_names(
    text: str, kind: ErrorKind, span: str
) -> None:
    flaw = seen(text).flaw
    assert flaw is not None
    assert (flaw.kind, flaw.span) == (kind, span)


def test_a_woman_is_denied_where_no_person_was_found() -> None:
    empty = view(IMAGE, PHOTO[2:])
    assert seen("A tv. A woman.", empty).repaired == "A tv."
    assert seen("A tv. A coffee table.", view(IMAGE, PHOTO[4:])).decision is Decision.KEEP


def test_the_name_of_the_verifier_separates_labels() -> None:
    names = [["traffic", "light"], ["traffic light"], ["traffic"], []]
    assert len({RuleVerifier(vocabulary=one).name for one in names}) == 4


@pytest.mark.slow
@settings(deadline=None)  # a scene is rendered now and then
@given(
    st.lists(
        st.sampled_from(
            ["a", "cup", "boxes", "two", "no", "red", "is left of", "lamp", ".", "behind", "ignore"]
        ),
        max_size=25,
    )
)
def test_repairs_come_to_an_end(words: list[str]) -> None:
    text, rounds = " ".join(words), 0
    while (verdict := judged(text)).decision is Decision.REPAIR:
        assert verdict.repaired != text
        text, rounds = verdict.repaired or "", rounds + 1
        assert rounds <= 30
