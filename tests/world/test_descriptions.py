"""Descriptions are exact, or err as often and in those places as they were told to."""

from collections import Counter

import numpy as np
import pytest

from groundrl.errors import UserError
from groundrl.grammar import get_grammar
from groundrl.language.splitting import split_sentences
from groundrl.records import Grounding
from groundrl.world.captions.assertions import (
    Assertion,
    ColorAssertion,
    GuessAssertion,
    NumberAssertion,
    ObjectAssertion,
    PlaceAssertion,
    RelationAssertion,
)
from groundrl.world.captions.descriptions import CaptionSentence, boxed_caption, describe
from groundrl.world.captions.errors import EXACT, CaptionErrors
from groundrl.world.graph import Scene, SceneSpec, Subject
from groundrl.world.known import known_scene
from groundrl.world.render import build_scene

RATES = {"hallucination": 0.25, "attribute": 0.2, "relationship": 0.3, "location": 0.15}


def scene(index: int, fewest: int = 3) -> Scene:
    subject = tuple(Subject)[index % 2]
    return build_scene(SceneSpec(seed=5, index=index, subject=subject, min_objects=fewest))


SCENES = [scene(index, fewest=1 if index % 5 == 0 else 3) for index in range(200)]


def described(one: Scene, errors: CaptionErrors = EXACT) -> tuple[CaptionSentence, ...]:
    return describe(one, np.random.default_rng(one.spec.index), errors)


def test_a_description_has_four_to_eight_sentences_that_begin_and_end_as_such() -> None:
    errors = CaptionErrors(conjecture=0.5)
    lengths = Counter()
    for one in SCENES:
        sentences = described(one, errors)
        lengths[len(sentences)] += 1
        text = get_grammar("obj_bbox").render_segments(boxed_caption(sentences))
        assert len(split_sentences(text)) == len(sentences)
        for sentence in sentences:
            first, last = sentence.segments[0], sentence.segments[-1]
            assert isinstance(first, str)
            assert first[0].isupper()
            assert isinstance(last, str)
            assert last.endswith(".")
    assert set(lengths) - {2, 3} == {4, 5, 6, 7, 8}
    # Only a scene of one or two objects may have less to say.
    assert lengths[2] + lengths[3] < 0.05 * len(SCENES)


def test_an_exact_description_says_only_what_the_scene_bears_out() -> None:
    kinds: Counter[type[Assertion]] = Counter()
    for one in SCENES:
        image = known_scene(one)
        for sentence in described(one):
            assert sentence.wrong == ()
            assert {said.verdict(image) for said in sentence.assertions} == {True}
            kinds.update(type(said) for said in sentence.assertions)
    assert min(kinds[kind] for kind in kinds) > 50
    assert GuessAssertion not in kinds
    assert len(kinds) == 5


def test_an_exact_description_links_every_object_to_its_box_once() -> None:
    for one in SCENES:
        linked = [p for p in boxed_caption(described(one)) if isinstance(p, Grounding)]
        assert linked == [thing.grounding for thing in one.objects]


def test_what_was_made_wrong_is_wrong_and_the_rest_is_not() -> None:
    errors = CaptionErrors(**RATES, conjecture=0.3)
    for one in SCENES:
        image = known_scene(one)
        for sentence in described(one, errors):
            for said in sentence.assertions:
                assert (said.verdict(image) is False) is (said in sentence.wrong)


@pytest.mark.slow
@pytest.mark.parametrize("habit", [0.0, 0.8, 1.0])
def test_each_kind_of_error_has_its_rate(habit: float) -> None:
    kinds: dict[type[Assertion], str] = {
        ObjectAssertion: "hallucination",
        ColorAssertion: "attribute",
        NumberAssertion: "attribute",
        RelationAssertion: "relationship",
        PlaceAssertion: "location",
    }
    said, wrong = Counter(), Counter()
    for index in range(400):
        one = scene(index)
        image = known_scene(one)
        for sentence in described(one, CaptionErrors(**RATES, habit=habit)):
            for about in sentence.assertions:
                said[kinds[type(about)]] += about.verdict(image) is not None
            wrong.update(kinds[type(about)] for about in sentence.wrong)
    for name, rate in RATES.items():
        assert wrong[name] / said[name] == pytest.approx(rate, abs=0.06), name


def test_habits_put_the_errors_into_the_same_cases() -> None:
    errors = CaptionErrors(hallucination=0.25, attribute=0.25, habit=1.0)
    wrong, right = set(), set()
    for one in SCENES:
        colors = {(thing.category, thing.color) for thing in one.objects}
        absent = {thing.category for thing in one.objects}
        for sentence in described(one, errors):
            for about in sentence.assertions:
                if isinstance(about, ColorAssertion) and about.noun in absent:
                    is_right = (about.noun, about.color) in colors
                    (right if is_right else wrong).add(about.color)
    # Cyan and orange are always taken for another colour, the others never.
    assert right.isdisjoint({"cyan", "orange"})
    assert wrong >= {"blue", "red"}


def test_equal_generators_write_equal_descriptions() -> None:
    errors = CaptionErrors(**RATES)
    assert described(SCENES[0], errors) == described(SCENES[0], errors)


@pytest.mark.parametrize(("option", "value"), [("attribute", 1.5), ("hallucination", 1.0)])
def test_a_rate_that_is_no_share_is_refused(option: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"errors\.{option}={value} is no share"):
        CaptionErrors(**{option: value})
