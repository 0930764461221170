"""The judge that knows rules: whole words, negations, lists, numbers, verdicts, and the world's own
reasoning."""

from dataclasses import replace

import numpy as np
import pytest

from groundrl.answers.alignment import Case, Misalignment
from groundrl.answers.rule_judge import judge_by_rule
from groundrl.questions.sentences import Order
from groundrl.records import Grounding
from groundrl.world.graph import SceneSpec, Subject
from groundrl.world.questions import ANSWER_KINDS, ask
from groundrl.world.render import build_scene

NONE, CONTRADICTION = Misalignment.NONE, Misalignment.CONTRADICTION
MISSING, IRRELEVANT = Misalignment.MISSING_DETAIL, Misalignment.IRRELEVANT
OTHER = Misalignment.OTHER


def flaw(
    reasoning: str,
    answer: str,
    options: tuple[str, ...] = (),
    question: str = "Is it so?",
    pointed: int = 0,
) -> Misalignment | None:
    """None where the rule cannot say."""
    case = Case(
        question=question, options=options, reasoning=reasoning, answer=answer, pointed=pointed
    )
    found = judge_by_rule(case)
    if found is None:
        return None
    assert found.aligned is (found.flaw is NONE)
    return found.flaw


@pytest.mark.parametrize(
    ("reasoning", "answer", "expected"),
    [
        ("The cup is red.", "red", NONE),
        ("The cup is red.", "A", NONE),
        ("There is a cup.", "", OTHER),
        ("There is a cup.", "?!", OTHER),
        ("", "red", MISSING),
        ("There is a cup.", "a plane", MISSING),
        ("The cup stands in a cupboard.", "(C)", NONE),
        ("The red one stands in a cupboard.", "cup", MISSING),
        ("She looks bored.", "red", IRRELEVANT),
        ("It is not red; it is blue.", "red", CONTRADICTION),
        ("It is not red; it is blue.", "blue", NONE),
        ("It is blue, not red.", "red", CONTRADICTION),
        ("It isn\u2019t red but blue.", "red", CONTRADICTION),
        ("It isn't red but blue.", "blue", NONE),
        ("It is neither red nor blue.", "blue", CONTRADICTION),
        ("It was not red, now it is Red.", "red", NONE),
        ("The cup is red.", "red, blue", MISSING),
        ("The cup is red and blue.", "red, blue", NONE),
    ],
)
def test_rules_want_whole_words_that_are_not_denied(
    reasoning: str, answer: str, expected: Misalignment
) -> None:
    assert flaw(reasoning, answer, ("red", "blue", "cup")) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("purple tree", NONE),
        ("a purple tree", NONE),
        ("Purple tree and red bin.", MISSING),  # the bin is the landmark
        ("purple bin", MISSING),
    ],
)
def test_an_answer_that_is_no_option_may_follow_all_the_same(
    answer: str, expected: Misalignment
) -> None:
    question = "Which of these is behind the tree?"
    reasoning = "Behind the red bin I see the purple tree."
    assert flaw(reasoning, answer, ("red bin", "blue bin"), question) is expected


@pytest.mark.parametrize(
    ("reasoning", "answer", "expected"),
    [
        ("Left of the red bin are the blue bus and the cone.", "blue bus, cone", NONE),
        ("Left of the red bin are the blue bus and the cone.", "cone, cone", CONTRADICTION),
        ("Left of the red bin are the blue bus and the cone.", "cone, red bin", MISSING),
        ("The blue bus and the cone are left of the red bin.", "cone, blue bus", NONE),
        ("I see the cone left of the red bin.", "cone", NONE),
        ("Left of it are the blue bus and the gray tree.", "blue bus, gray tree", NONE),
        ("Left of it are the blue bus and the gray tree.", "gray tree", CONTRADICTION),
    ],
)
def test_a_list_names_all_that_the_reasoning_names_and_no_landmark(
    reasoning: str, answer: str, expected: Misalignment
) -> None:
    options = ("red bin", "blue bus", "cone")
    question = "Which of these are left of the tree?"
    assert flaw(reasoning, answer, options, question) is expected


def test_a_landmark_does_not_count() -> None:
    question = "How many objects are left of the bin?"
    for answer, expected in (("one", NONE), ("two", MISSING)):
        reasoning = "Left of the bin I count the green hydrant: green."
        assert flaw(reasoning, answer, ("one", "two"), question, pointed=2) is expected


def test_the_colour_of_a_landmark_is_not_what_was_asked_for() -> None:
    question = "What color is the cup left of the lamp?"
    for reasoning in (
        "Left of the red lamp is the blue cup: blue.",
        "The blue cup left of the red lamp is blue.",
    ):
        assert flaw(reasoning, "blue", ("red", "blue"), question) is NONE
        assert flaw(reasoning, "red", ("red", "blue"), question) is MISSING


def test_what_is_stood_on_may_be_the_answer_to_another_question() -> None:
    question = "What is the cat on?"
    assert flaw("The cat is on the chair.", "chair", ("chair", "bed"), question) is NONE


@pytest.mark.parametrize(
    ("reasoning", "answer", "pointed", "expected"),
    [
        ("Here", "two", 2, NONE),
        ("Here", "two", 3, MISSING),
        ("Here", "two", 1, MISSING),
        ("I see the cup and the box: that makes two.", "two", 2, NONE),
        ("I see the cup and the box: that makes three.", "three", 2, NONE),
        ("Left of the box I see the cup and the lamp: two.", "three", 3, CONTRADICTION),
        ("I see the cup: that makes one.", "One.", 1, NONE),
    ],
)
def test_rules_believe_the_number_that_is_stated_or_count_what_is_pointed_at(
    reasoning: str, answer: str, pointed: int, expected: Misalignment
) -> None:
    options = ("two", "three", "four")
    assert flaw(reasoning, answer, options, "How many are there?", pointed) is expected


@pytest.mark.parametrize(
    ("question", "reasoning", "answer", "expected"),
    [
        ("Is it so?", "I find the red cup: a red cup, so yes.", "yes", NONE),
        ("Is it so?", "I find the blue cup: a blue cup, so no.", "yes", CONTRADICTION),
        ("Is it so?", "The cup is left of it. This is not true.", "False.", NONE),
        ("Is it so?", "I count the bowl: one.", "no", None),
        ("Are there two bowls?", "I count the bowl: one.", "no", None),
        ("Is the cup left of the lamp?", "The cup is right of the lamp.", "no", None),
        ("Is there a red cup?", "There is no red cup: the closest is the blue cup.", "no", NONE),
        ("Is there a red cup?", "There is no red cup.", "yes", CONTRADICTION),
        ("Is there a cup in the image?", "There is a cup.", "no", CONTRADICTION),
        ("Is there a red cup?", "I see a blue cup.", "no", None),
    ],
)
def test_yes_and_no_follow_from_a_verdict_or_from_what_is_there(
    question: str, reasoning: str, answer: str, expected: Misalignment | None
) -> None:
    options = ("true", "false") if answer == "False." else ("yes", "no")
    assert flaw(reasoning, answer, options, question) is expected
    assert flaw(reasoning, answer.strip("."), (), question) is expected


@pytest.mark.parametrize(
    ("answer", "expected"), [("", OTHER), ("?!", OTHER), ("red cup", None), ("cup", NONE)]
)
def test_an_open_answer_may_follow_in_other_words(
    answer: str, expected: Misalignment | None
) -> None:
    assert flaw("There is a redcup and a cup.", answer) is expected


def test_a_flood_of_words_is_no_answer() -> None:
    listed = ", ".join(f"cup{number}" for number in range(10_000))
    assert flaw(f"I see {listed}.", listed, ("cup1", "cup2")) is OTHER


@pytest.mark.slow
@pytest.mark.parametrize("order", ["look_first", "conclude_first"])
def test_of_the_worlds_own_reasoning_the_right_answer_follows_and_no_other_option(
    order: Order,
) -> None:
    judged = 0
    for index in range(180):
        scene = build_scene(SceneSpec(seed=7, index=index, subject=Subject.STREET))
        kind = ANSWER_KINDS[index % len(ANSWER_KINDS)]
        sample = ask(scene, kind, np.random.default_rng(index), order)
        if sample is None:
            continue
        parts = sample.rationale or ()
        right = Case(
            question=sample.question,
            options=sample.options,
            reasoning="".join(one.label if isinstance(one, Grounding) else one for one in parts),
            answer=", ".join(sample.answers),
            pointed=len(sample.groundings),
        )
        wrong = [
            replace(right, answer=answer)
            for answer in (*sample.options, ", ".join(sample.options), sample.answers[0])
            if {*answer.split(", ")} != {*sample.answers}
        ]
        cases = [(right, True), *((case, False) for case in wrong)]
        found = [(judge_by_rule(case), case, aligned) for case, aligned in cases]
        assert [case for one, case, aligned in found if one and one.aligned is not aligned] == []
        judged += found[0][0] is not None
    assert judged > 140
