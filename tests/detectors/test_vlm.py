"""A model that says what it sees: answers are counted, boxes land in pixels of the image."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundrl.boxes import Box, Frame, ImageSizes, is_inside, match
from groundrl.detectors.base import Batched, Detector
from groundrl.detectors.oracle import OracleDetector
from groundrl.detectors.records import InputImage, Region
from groundrl.detectors.vlm import VlmDetector, group_boxes
from groundrl.errors import UserError
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy
from groundrl.prompts import PromptTemplate
from groundrl.records import Completion, RolloutGroup
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.synthesis.images import SceneImages

SAMPLING = Sampling(max_tokens=160, temperature=0.7)
WORLD = OracleDetector().vocabulary


@pytest.fixture(scope="module")
def embedded() -> Policy:
    return load_policy("embedded", "permille", PromptTemplate(), Adapter(kind="frozen"))


@pytest.fixture(scope="module")
def images() -> list[InputImage]:
    return list(SceneImages(size=12, seed=77))


def ask(
    policy: Policy,
    sampling: Sampling = SAMPLING,
    question: str = "Describe the objects.",
    vocabulary: Sequence[str] = WORLD,
    **options: Any,
) -> VlmDetector:
    return VlmDetector(
        policy=policy,
        engine=NativeEngine(),
        sampling=sampling,
        question=question,
        vocabulary=vocabulary,
        **options,
    )


def box(x1: float, y1: float, x2: float, y2: float) -> Box:
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL)


def said(found: list[tuple[Region, ...]]) -> list[list[tuple[str, tuple[float, ...], float]]]:
    """Of the sure ones."""
    return [[(r.label, r.box.corners, r.score) for r in regions if r.sure] for regions in found]


def doubted(regions: tuple[Region, ...]) -> list[tuple[str, float]]:
    return [(region.label, region.score) for region in regions if not region.sure]


@pytest.mark.slow
def test_a_policy_that_others_share_keeps_its_template(
    embedded: Policy, images: list[InputImage]
) -> None:
    own = PromptTemplate(instruction="Answer inside <answer>.")
    embedded.encode.template = own
    try:
        ask(embedded, answers=1)(images[:1])
        assert embedded.encode.template is own
    finally:
        embedded.encode.template = PromptTemplate()


@pytest.mark.slow
def test_the_embedded_model_finds_most_of_what_is_there(
    embedded: Policy, images: list[InputImage]
) -> None:
    look = ask(embedded, answers=4)
    assert isinstance(look, Detector)
    assert isinstance(look, Batched)
    right = found = there = 0
    sizes = ImageSizes(width=160, height=160, model_width=160, model_height=160)
    for seen, true in zip(look(images), OracleDetector()(images), strict=True):
        regions = [one for one in seen if one.sure]
        pairs = match([one.box for one in regions], [one.box for one in true])
        right += sum(
            pair.iou >= 0.5 and regions[pair.predicted].label == true[pair.true].label
            for pair in pairs
        )
        found, there = found + len(regions), there + len(true)
        assert all(is_inside(one.box, sizes) for one in regions)
        assert {one.score for one in regions} <= {0.5, 0.75, 1.0}
        assert {one.label for one in regions} <= set(WORLD)
    assert right / there > 0.6
    assert right / found > 0.6


@pytest.mark.slow
def test_an_answer_depends_on_the_image_alone(embedded: Policy, images: list[InputImage]) -> None:
    look = ask(embedded, answers=2, threshold=0.0, batch_size=3)
    alone = [look([image])[0] for image in images[:4]]
    assert said(look(images[:4])) == said(alone)


def group(policy: Policy, image: InputImage, *texts: str) -> RolloutGroup:
    sample = ask(policy)._sample(image)
    completion = Completion(text="", tokens=(), logprobs=(), truncated=False)
    return RolloutGroup(
        sample=sample,
        sizes=policy.encode(sample).sizes,
        completions=tuple(replace(completion, text=text) for text in texts),
    )


def test_answers_vote_and_corners_are_medians(embedded: Policy, images: list[InputImage]) -> None:
    answers = (
        "<obj>Red  Cup</obj><bbox>[100, 100, 500, 500]</bbox>",
        "<obj>red cup</obj><bbox>[120, 100, 500, 520]</bbox>, no: <obj>lamp</obj>",
        "<obj>blue bowl</obj><bbox>[110, 100, 500, 510]</bbox>"
        "<obj>dragon</obj><bbox>[0, 0, 9, 9]</bbox>",
        "I see <obj>red lamp</obj><bbox>[600, 600, 2000, 900]</bbox>, <bbox>[1, 2]</bbox>",
    )
    asked = group(embedded, images[0], *answers)
    found = ask(embedded, answers=4, threshold=0.25)._regions(images[0], asked)
    # 110, 100, 500, 510 thousandths of 160 pixels; the lamp ends where the image does.
    assert said([found]) == [
        [
            ("cup", pytest.approx((17.6, 16, 80, 81.6)), 0.75),
            ("lamp", pytest.approx((96, 96, 160, 144)), 0.25),
        ]
    ]
    assert doubted(found) == [("bowl", 0.25)]
    unsure = ask(embedded, answers=4, threshold=0.5)._regions(images[0], asked)
    assert [one.label for one in unsure if one.sure] == ["cup"]
    assert doubted(unsure) == [("bowl", 0.25), ("lamp", 0.25)]
    free = ask(embedded, answers=4, threshold=0.25, vocabulary=())._regions(images[0], asked)
    assert [one.label for one in free if one.sure] == ["red cup", "dragon", "red lamp"]
    certain = ask(embedded, answers=4, threshold=0.5, doubt=1.0)._regions(images[0], asked)
    assert [one.label for one in certain] == ["cup"]


def test_of_two_objects_in_one_place_the_one_with_more_votes_stays(
    embedded: Policy, images: list[InputImage]
) -> None:
    def cup(left: int) -> str:
        return f"<obj>cup</obj><bbox>[{left}, 0, {left + 100}, 100]</bbox>"

    # 450 is far from 400, and close to the median of the three that are close to 400.
    asked = group(embedded, images[0], cup(400), cup(430), cup(450), cup(425))
    look = ask(embedded, answers=4, threshold=0.4)
    found = look._regions(images[0], asked)
    assert said([found]) == [[("cup", pytest.approx((68, 0, 84, 16)), 0.75)]]
    assert not doubted(found)
    # As soon as one answer names both, there may be two.
    asked = group(embedded, images[0], cup(400), cup(430), cup(450) + cup(800), cup(425))
    assert doubted(look._regions(images[0], asked)) == [("cup", 0.25), ("cup", 0.25)]


def test_a_label_is_the_longest_word_of_the_vocabulary_that_it_ends_with(
    embedded: Policy, images: list[InputImage]
) -> None:
    texts = "".join(
        f"<obj>{label}</obj><bbox>[{100 * i}, 0, {100 * i + 90}, 90]</bbox>"
        for i, label in enumerate(("green traffic light", "night light", "starlight", "cat"))
    )
    look = ask(embedded, answers=1, vocabulary=["light", "traffic light", "cat"])
    found = look._regions(images[0], group(embedded, images[0], texts))
    assert [one.label for one in found] == ["traffic light", "light", "cat"]


corner = st.integers(0, 20).map(float)
boxes = st.tuples(corner, corner, corner, corner).map(
    lambda c: box(c[0], c[1], c[0] + c[2] + 1, c[1] + c[3] + 1)
)
answer = st.lists(st.tuples(st.sampled_from(["a", "b"]), boxes), max_size=5)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(answer, max_size=5))
def test_every_box_belongs_to_one_object_and_no_answer_votes_twice(
    answers: list[list[tuple[str, Box]]],
) -> None:
    found = group_boxes(answers)
    assert sum(len(seen.boxes) for seen in found) == sum(map(len, answers))
    assert all(len(seen.boxes) == len(seen.labels) <= len(answers) for seen in found)
    assert all(seen.label in seen.labels for seen in found)
    assert len(found) >= max(map(len, answers), default=0)


def test_the_name_changes_with_everything_answers_depend_on(
    make_policy: Callable[..., Policy],
) -> None:
    policy = make_policy(None)
    changes: list[dict[str, Any]] = [
        {},
        {"question": "What objects are there?"},
        {"vocabulary": ["cup"]},
        {"grammar": "inline_box"},
        {"answers": 3},
        {"threshold": 0.25},
        {"doubt": 0.5},
        {"sampling": replace(SAMPLING, temperature=1.0)},
        {"seed": 1},
    ]
    names = [ask(policy, **change).name for change in changes]
    names.append(ask(make_policy(None, seed=1)).name)
    assert len(set(names)) == len(names)
    assert ask(policy, batch_size=5).name == names[0]


def test_a_question_names_the_vocabulary_and_the_syntax(make_policy: Callable[..., Policy]) -> None:
    question = "Point at every {vocabulary}, each as {syntax}."
    look = ask(make_policy(None), question=question, vocabulary=["cat", "dog"])
    assert look.question == (
        "Point at every cat, dog, each as <obj>label</obj><bbox>[x1, y1, x2, y2]</bbox>."
    )


@pytest.mark.parametrize("wrong", [{"answers": 0}, {"threshold": 2.0}])
def test_votes_that_cannot_be_are_an_error(
    make_policy: Callable[..., Policy], wrong: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"type detector\.answers=8"):
        ask(make_policy(None), **wrong)
