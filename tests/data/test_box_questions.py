"""Questions from boxes: one reading each, checked against the boxes themselves."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.boxes import Box, Frame
from groundrl.data.box_questions import KINDS, ask, ask_all, known_annotations
from groundrl.data.detection.base import AnnotatedImage, DetectionSet
from groundrl.errors import UserError
from groundrl.language.words import plural, with_article
from groundrl.questions.boxes import BOX_KINDS
from groundrl.questions.counts import count_in_digits
from groundrl.questions.draft import Draft
from groundrl.questions.draws import Draws
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.pointing import locate_by_boxes
from groundrl.questions.proof import is_proven
from groundrl.questions.sentences import one_order
from groundrl.records import Grounding, ImageFile, Sample

NAMES = ("bus", "cat", "cup", "dog", "person", "skis")
SIDE_WORDS = {
    "further left": (0, 1),
    "left of": (0, 1),
    "further right": (0, -1),
    "right of": (0, -1),
    "higher up": (1, 1),
    "above": (1, 1),
    "lower down": (1, -1),
    "below": (1, -1),
}


def annotated(*groundings: Grounding, uncounted: tuple[str, ...] = ()) -> AnnotatedImage:
    return AnnotatedImage(
        id="p",
        image=ImageFile(path=Path("p.jpg"), width=200, height=100),
        groundings=groundings,
        uncounted=frozenset(uncounted),
    )


def detection_set(*images: AnnotatedImage) -> DetectionSet:
    return DetectionSet(name="set", split="train", names=NAMES, images=images)


@st.composite
def images(draw: st.DrawFn) -> AnnotatedImage:
    groundings = []
    for label in draw(st.lists(st.sampled_from(NAMES), max_size=12)):
        x, y = draw(st.integers(0, 190)), draw(st.integers(0, 90))
        width, height = draw(st.integers(1, 200 - x)), draw(st.integers(1, 100 - y))
        box = Box(
            x1=float(x), y1=float(y), x2=float(x + width), y2=float(y + height), frame=Frame.PIXEL
        )
        groundings.append(Grounding(label=label, box=box))
    crowds = draw(st.sets(st.sampled_from(NAMES), max_size=1))
    return annotated(*dict.fromkeys(groundings), uncounted=tuple(crowds))


def of(image: AnnotatedImage, label: str) -> list[Box]:
    return [item.box for item in image.groundings if item.label == label]


def check(sample: Sample, image: AnnotatedImage) -> None:
    """Answer the question from the boxes alone, by reading its words."""
    words = sample.question.rstrip("?")
    pointed = tuple(part for part in sample.rationale or () if isinstance(part, Grounding))
    compared = sample.kind == "exists" and sample.answers == ("no",)
    assert sample.groundings == (() if compared else pointed)
    assert len(set(pointed)) == len(pointed)
    assert set(pointed) <= set(image.groundings)
    assert all(item.box.area >= 0.001 * 200 * 100 for item in pointed)
    assert {item.label for item in pointed}.isdisjoint(image.uncounted)
    assert set(sample.answers) <= set(sample.options)
    assert len(set(sample.options)) == len(sample.options)
    if sample.kind == "exists":
        (label,) = [name for name in NAMES if f"there {with_article(name)} in" in words]
        assert label not in image.uncounted
        assert sample.answers == (("yes",) if of(image, label) else ("no",))
        assert len(sample.groundings) == len(of(image, label)) <= 6
        assert label not in {item.label for item in pointed} or not compared
        assert len(pointed) <= 1 or not compared
    elif sample.kind == "count":
        (label,) = [name for name in NAMES if f"many {plural(name)} are" in words]
        assert label not in image.uncounted
        assert sample.answers == (str(len(of(image, label))),)
        assert len(pointed) == len(of(image, label)) <= 6
    elif sample.kind == "locate":
        check_locate(words, pointed, image)
    else:
        check_side_or_presence(sample, words, image)


def check_locate(words: str, pointed: tuple[Grounding, ...], image: AnnotatedImage) -> None:
    (item,) = pointed
    boxes = of(image, item.label)
    others = [box for box in boxes if box is not item.box]
    assert words.endswith(item.label)
    if "leftmost" in words:
        assert all(item.box.center[0] < box.center[0] for box in others)
    elif "rightmost" in words:
        assert all(item.box.center[0] > box.center[0] for box in others)
    elif "largest" in words:
        assert all(item.box.area > box.area for box in others)
    else:
        assert boxes == [item.box]


def check_side_or_presence(sample: Sample, words: str, image: AnnotatedImage) -> None:
    if words == "Which of these are in the picture":
        assert not image.uncounted & set(sample.options)
        assert set(sample.answers) == {name for name in sample.options if of(image, name)}
        assert 0 < len(sample.answers) < len(sample.options) <= 4
        assert len(sample.groundings) == sum(len(of(image, name)) for name in sample.answers)
        return
    (axis, sign) = next(place for word, place in SIDE_WORDS.items() if word in words)
    for name in sample.options:
        assert len(of(image, name)) == 1
    middle = {name: of(image, name)[0].center[axis] * sign for name in sample.options}
    if sample.kind == "relation":
        assert sample.answers == (min(middle, key=lambda name: middle[name]),)
        assert len(sample.groundings) == 2
    else:
        anchor = words.rpartition(" the ")[2]
        (box,) = of(image, anchor)
        assert anchor not in sample.options
        right = {name for name, place in middle.items() if place < box.center[axis] * sign}
        assert set(sample.answers) == right
        assert 0 < len(right) < len(sample.options) <= 4
        assert {item.label for item in sample.groundings} == right | {anchor}


@pytest.mark.slow
@given(images(), st.integers(0, 2**31), st.sampled_from(KINDS))
def test_every_answer_is_borne_out_by_the_boxes(
    image: AnnotatedImage, seed: int, kind: str
) -> None:
    sample = ask(image, kind, detection_set(image), seed)
    if sample is not None:
        check(sample, image)
        assert sample == ask(image, kind, detection_set(image), seed)


Make = Callable[..., Grounding]


def test_questions_depend_on_seed_and_image_only(grounding: Make) -> None:
    image = annotated(grounding("cat", 0, 0, 50, 50), grounding("dog", 100, 0, 150, 50))
    alone = ask_all(detection_set(image), seed=1)
    assert [sample.kind for sample in alone] == ["exists", "count", "relation", "locate", "multi"]
    assert [sample.id for sample in alone][:2] == ["p:exists", "p:count"]
    assert ask_all(detection_set(image), seed=1, kinds=["locate"]) == [alone[3]]
    assert len({ask(image, "relation", detection_set(image), seed) for seed in range(20)}) > 1


def test_a_tiny_box_is_not_asked_about_but_makes_its_class_ambiguous(grounding: Make) -> None:
    image = annotated(grounding("cat", 0, 0, 50, 50), grounding("cat", 190, 0, 194, 4))
    known = known_annotations(image, NAMES)
    assert count_in_digits(known, random.Random(0)) is None
    questions = {
        draft.claim.question
        for seed in range(20)
        if (draft := locate_by_boxes(known, random.Random(seed))) is not None
    }
    assert questions == {"Where is the leftmost cat?", "Where is the largest cat?"}


def test_a_crowd_is_neither_counted_nor_denied(grounding: Make) -> None:
    image = annotated(grounding("person", 0, 0, 50, 50), uncounted=("person",))
    known = known_annotations(image, ("person",))
    askers = (count_in_digits, BOX_KINDS["exists"], locate_by_boxes)
    assert [asker(known, random.Random(0)) for asker in askers] == [None] * 3


def test_seven_of_a_class_are_too_many_to_point_at(grounding: Make) -> None:
    cats = [grounding("cat", 20 * i, 0, 20 * i + 10, 50) for i in range(7)]
    for number, asked in ((6, True), (7, False)):
        known = known_annotations(annotated(*cats[:number]), NAMES)
        assert (count_in_digits(known, random.Random(0)) is not None) == asked


def test_an_image_without_boxes_is_only_asked_what_is_not_there() -> None:
    (sample,) = ask_all(detection_set(annotated()), seed=0)
    assert (sample.kind, sample.answers, sample.groundings) == ("exists", ("no",), ())


def test_unknown_kinds_and_boxes_without_questions_are_user_errors() -> None:
    with pytest.raises(UserError, match=r"color; choose from exists, count"):
        ask_all(detection_set(annotated()), seed=0, kinds=["color"])
    with pytest.raises(UserError, match="answer no question of kind count"):
        ask_all(detection_set(annotated()), seed=0, kinds=["count"])


def test_a_class_name_that_is_plural_already_is_asked_about_in_the_plural(grounding: Make) -> None:
    image = annotated(grounding("Platelets", 0, 0, 50, 50), grounding("Platelets", 100, 0, 150, 50))
    known = known_annotations(image, ())
    questions = set()
    for seed in range(20):
        for kind in ("exists", "count", "locate"):
            draft = BOX_KINDS[kind](known, random.Random(seed))
            assert draft is not None
            questions.add(draft.claim.question)
    assert questions == {
        "Are there Platelets in the picture?",
        "How many Platelets are in the picture?",
        "Where are the leftmost Platelets?",
        "Where are the rightmost Platelets?",
    }


@dataclass(frozen=True)
class Brightest:
    """A claim that the package does not know."""

    question: str = "Which is the brightest?"

    def is_proven(self, sample: Sample, pointed: Sequence[KnownObject], image: KnownImage) -> bool:
        return [one.noun for one in pointed] == [*sample.answers]


def test_a_kind_of_question_is_added_from_outside(
    grounding: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_for_brightest(image: KnownImage, draws: Draws) -> Draft | None:
        one = draws.choice(image.objects)
        return Draft(
            claim=Brightest(), rationale=one_order((image.phrase(one),)), answers=(one.noun,)
        )

    monkeypatch.setitem(BOX_KINDS, "brightest", ask_for_brightest)
    image = annotated(grounding("cat", 0, 0, 50, 50))
    (sample,) = ask_all(detection_set(image), seed=0, kinds=["brightest"])
    assert (sample.kind, sample.question) == ("brightest", "Which is the brightest?")
    assert is_proven(sample, Brightest(), known_annotations(image, NAMES))
