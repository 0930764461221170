"""Questions: read back by an independent reader of their words, over many scenes."""

import re
from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from handmade_scenes import random_scene, scene, thing
from question_reader import only, right_answers

from groundrl.errors import UserError
from groundrl.records import Grounding, Sample
from groundrl.world.graph import Look, Scene, SceneSpec, Subject
from groundrl.world.questions import (
    ANSWER_KINDS,
    KINDS,
    POINTING_KINDS,
    UNGROUNDED_KINDS,
    VERDICT_KINDS,
    ask,
    questions_about,
    sample_question,
)
from groundrl.world.render import render
from groundrl.world.vocabulary import CATEGORIES, COLORS

SCENES = [random_scene(index) for index in range(40)]
SPECS = [
    SceneSpec(seed=1, index=index, subject=subject, look=look, width=96, height=96)
    for index in range(2)
    for subject in Subject
    for look in Look
]


@cache
def ask_often(kind: str, per_scene: int = 6) -> list[tuple[Scene, Sample]]:
    asked = []
    for one in SCENES:
        rng = np.random.default_rng(one.spec.index)
        samples = [ask(one, kind, rng) for _ in range(per_scene)]
        asked += [(one, sample) for sample in samples if sample is not None]
    return asked


def text_of(sample: Sample) -> str:
    parts = sample.rationale or ()
    return "".join(part if isinstance(part, str) else part.label for part in parts)


def check_form(one: Scene, sample: Sample) -> None:
    """What is true of every sample whatever its kind."""
    assert len(set(sample.options)) == len(sample.options)
    assert set(sample.answers) <= set(sample.options)
    assert sample.rationale is not None
    pointed = [part for part in sample.rationale if isinstance(part, Grounding)]
    assert len(set(pointed)) == len(pointed)
    compared = sample.kind in UNGROUNDED_KINDS and sample.answers == ("no",)
    assert sample.groundings == (() if compared else tuple(pointed))
    truth = {Grounding(label=f"{o.color} {o.category}", box=o.box) for o in one.objects}
    assert set(pointed) <= truth
    for box in (grounding.box for grounding in sample.groundings):
        assert 0 <= box.x1 < box.x2 <= one.spec.width
        assert 0 <= box.y1 < box.y2 <= one.spec.height
    kinds_of_part = [isinstance(part, str) for part in sample.rationale]
    assert not any(a and b for a, b in pairwise(kinds_of_part))
    assert text_of(sample)[0].isupper()
    assert text_of(sample).endswith(".")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_sample_is_well_formed(kind):
    asked = ask_often(kind)
    assert len(asked) > 80
    for one, sample in asked:
        check_form(one, sample)
        assert sample.kind == kind
        assert bool(sample.groundings) or kind in UNGROUNDED_KINDS


@pytest.mark.slow
@pytest.mark.parametrize("kind", ANSWER_KINDS + UNGROUNDED_KINDS + VERDICT_KINDS)
def test_the_answers_are_exactly_the_true_options(kind):
    for one, sample in ask_often(kind):
        assert set(sample.answers) == right_answers(one, sample), sample.question
        assert sample.answers
        assert 2 <= len(sample.options) <= 4


@pytest.mark.parametrize("kind", ["color", "category", "side", "depth", "relation_which", "count"])
def test_single_answer_kinds_have_one_right_option(kind):
    assert all(len(sample.answers) == 1 for _, sample in ask_often(kind))


def test_a_referring_expression_means_the_one_object_it_is_boxed_with():
    for one, sample in ask_often("locate"):
        name = re.fullmatch(r"(?:Find|Where is) the (.+)[.?]", sample.question)
        assert name
        (grounding,) = sample.groundings
        assert only(one, name[1]).box == grounding.box
        assert sample.options == sample.answers == ()


def test_describe_points_at_every_object():
    for one, sample in ask_often("describe", per_scene=1):
        assert [g.box for g in sample.groundings] == [o.box for o in one.objects]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "describe"])
def test_a_rationale_is_short(kind):
    for _, sample in ask_often(kind):
        words = [
            w for part in sample.rationale or () if isinstance(part, str) for w in part.split()
        ]
        # A verdict names once more what was found.
        assert len(words) <= (30 if kind in ("exists", "presence") else 18)
        assert len(sample.groundings) <= 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_rationale_names_only_what_is_there(kind):
    for one, sample in ask_often(kind):
        seen = {o.category for o in one.objects} | {o.color for o in one.objects}
        words = set(re.findall(r"\w+", text_of(sample)))
        said = words & ({*COLORS} | {noun for nouns in CATEGORIES.values() for noun in nouns})
        # A denial names what it denies: "Looking for a lamp, I find the red cup: no."
        denied = set(re.findall(r"\w+", sample.question)) if sample.answers == ("no",) else set()
        assert said <= seen | denied


@pytest.mark.slow
def test_two_cups_are_never_called_the_cup():
    pair = scene(
        thing("red cup", x=-0.5), thing("blue cup", x=0.5), thing("gray lamp", z=1.0), index=3
    )
    rng = np.random.default_rng(0)
    for kind in KINDS:
        for _ in range(30):
            sample = ask(pair, kind, rng)
            asked = sample.question if sample else ""
            assert not re.search(r"the cup(?! (left|right|in front|behind|on))", asked)


def test_identical_objects_alone_leave_nothing_to_locate():
    twins = scene(thing("red cup", z=0.0), thing("red cup", x=0.02, z=0.02))
    assert ask(twins, "locate", np.random.default_rng(0)) is None
    assert ask(twins, "side", np.random.default_rng(0)) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "word"),
    [
        *(("exists", "yes"), ("presence", "yes"), ("side", "left"), ("depth", "behind")),
        *(("is_related", "yes"), ("statement", "true"), ("is_colored", "yes")),
        ("is_numbered", "yes"),
    ],
)
def test_both_answers_are_given_about_equally_often(kind, word):
    answers = [sample.answers[0] for _, sample in ask_often(kind, per_scene=14)][:400]
    assert len(answers) == 400
    assert 0.4 <= answers.count(word) / len(answers) <= 0.6


@pytest.mark.parametrize("kind", ANSWER_KINDS)
def test_the_right_option_stands_in_every_position(kind):
    samples = [sample for _, sample in ask_often(kind)]
    places = Counter(s.options.index(a) for s in samples for a in s.answers)
    longest = max(len(s.options) for s in samples)
    assert set(places) == set(range(longest))


@pytest.mark.parametrize("kind", ["multi_color", "multi_side"])
def test_multi_answer_kinds_mostly_have_several_answers_but_not_always(kind):
    counts = [len(sample.answers) for _, sample in ask_often(kind)]
    share = sum(count > 1 for count in counts) / len(counts)
    assert 0.5 < share < 0.95


def test_the_groups_cover_all_kinds_once():
    groups = ANSWER_KINDS + POINTING_KINDS + UNGROUNDED_KINDS + VERDICT_KINDS
    assert Counter(groups) == Counter(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_both_orders_of_a_rationale_answer_the_same_question_with_the_same_boxes(kind: str):
    concluded_later = 0
    for index, one in enumerate(SCENES[:20]):
        look, conclude = (
            ask(one, kind, np.random.default_rng(index), order)
            for order in ("look_first", "conclude_first")
        )
        if look is None or conclude is None:
            assert look is conclude
            continue
        check_form(one, conclude)
        assert (look.question, look.options, look.answers) == (
            conclude.question,
            conclude.options,
            conclude.answers,
        )
        assert set(look.groundings) == set(conclude.groundings)
        concluded_later += look.rationale != conclude.rationale
    one_order = {"describe", "locate", "category", "multi_color", "is_colored"}
    assert (concluded_later == 0) is (kind in one_order)


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(UserError, match=r"unknown kind of question: colour; choose from .*color"):
        questions_about(SCENES[0], ["colour"], 1)
    with pytest.raises(UserError, match="no kind given"):
        questions_about(SCENES[0], [], 1)


def test_the_questions_about_a_scene_differ_and_do_not_depend_on_how_many_are_asked():
    for one in SCENES[:10]:
        four = questions_about(one, KINDS, 4)
        assert len({sample.question for sample in four}) == 4
        assert len({sample.id for sample in four}) == 4
        assert questions_about(one, KINDS, 2) == four[:2]


def test_a_scene_that_runs_out_of_questions_gives_fewer():
    assert 1 <= len(questions_about(SCENES[0], ["describe"], 9)) <= 2


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.subject}-{s.look}-{s.index}")
def test_questions_about_drawn_scenes_are_right(spec):
    drawn = render(spec).scene
    samples = questions_about(drawn, KINDS, 12)
    assert samples == questions_about(drawn, KINDS, 12)
    assert sample_question(spec, KINDS, turn=3) == samples[3]
    for turn, sample in enumerate(samples):
        check_form(drawn, sample)
        assert sample.id == f"{spec.subject}-{spec.look}-1-{spec.index}-{sample.kind}-{turn}"
        assert sample.provenance.split == f"{spec.subject}-{spec.look}"
        if sample.options:
            assert set(sample.answers) == right_answers(drawn, sample)
