"""The judge that knows rules: whole words, negations, numbers, and the world's own reasoning."""

import pytest

from groundrl.answers.alignment import Case, Misalignment
from groundrl.evaluation.benchmarks.world import WorldVQA
from groundrl.evaluation.judging.alignment import RuleJudge


def one(reasoning: str, answer: str, options: tuple[str, ...] = ("yes", "no")) -> Case:
    return Case(question="Is it so?", options=options, reasoning=reasoning, answer=answer)


@pytest.mark.parametrize(
    ("reasoning", "answer", "flaw"),
    [
        ("There is a cup.", "yes", Misalignment.NONE),
        ("There is no cup.", "no", Misalignment.NONE),
        ("The cup isn't red.", "False.", Misalignment.NONE),
        ("There is no cup.", "yes", Misalignment.CONTRADICTION),
        ("There is a cup.", "no", Misalignment.CONTRADICTION),
        ("", "yes", Misalignment.MISSING_DETAIL),
    ],
)
def test_rules_know_what_is_denied(reasoning: str, answer: str, flaw: Misalignment) -> None:
    (found,) = RuleJudge()([one(reasoning, answer)])
    assert found is not None
    assert (found.aligned, found.flaw) == (flaw is Misalignment.NONE, flaw)


def test_rules_look_for_the_options_in_the_reasoning() -> None:
    options = ("red cup", "blue box", "lamp")
    cases = [
        one("The red cup and the lamp are left of it.", answer, options)
        for answer in ("red cup, lamp", "A", "blue box", "(B)", "red cup")
    ]
    aligned = [found is not None and found.aligned for found in RuleJudge()(cases)]
    assert aligned == [True, True, False, False, True]


@pytest.mark.parametrize(
    ("reasoning", "answer", "flaw"),
    [
        ("There is a cup.", "", Misalignment.OTHER),
        ("There is a cup.", "?!", Misalignment.OTHER),
        ("There is a cup.", "a plane", Misalignment.OTHER),
        ("There is a cupboard.", "cup", Misalignment.MISSING_DETAIL),
        ("She looks bored.", "red", Misalignment.MISSING_DETAIL),
        ("It is not red; it is blue.", "red", Misalignment.CONTRADICTION),
        ("It is not red; it is blue.", "blue", Misalignment.NONE),
        ("It is blue, not red.", "red", Misalignment.CONTRADICTION),
        ("It isn\u2019t red but blue.", "red", Misalignment.CONTRADICTION),
        ("It isn't red but blue.", "blue", Misalignment.NONE),
        ("It is neither red nor blue.", "blue", Misalignment.CONTRADICTION),
        ("It was not red, now it is Red.", "red", Misalignment.NONE),
        ("The cup is red.", "red, blue", Misalignment.MISSING_DETAIL),
        ("The cup is red and blue.", "red, blue", Misalignment.NONE),
    ],
)
def test_rules_want_whole_words_that_are_not_denied(
    reasoning: str, answer: str, flaw: Misalignment
) -> None:
    (found,) = RuleJudge()([one(reasoning, answer, ("red", "blue", "cup"))])
    assert found is not None
    assert (found.aligned, found.flaw) == (flaw is Misalignment.NONE, flaw)


@pytest.mark.parametrize("answer", ["", "?!", "red cup", "cupboard"])
def test_rules_find_no_reason_for_an_open_answer_that_is_not_there(answer: str) -> None:
    (found,) = RuleJudge()([one("There is a redcup and a cup.", answer, ())])
    assert found is not None
    assert not found.aligned


@pytest.mark.slow
def test_rules_call_the_reasoning_of_the_world_itself_aligned() -> None:
    cases = [
        Case(
            question=sample.question,
            options=sample.options,
            reasoning="".join(
                part if isinstance(part, str) else part.label for part in sample.rationale or ()
            ),
            answer=", ".join(sample.answers),
            pointed=len(sample.groundings),
        )
        for sample in WorldVQA(size=90).questions().samples
    ]
    assert all(found is not None and found.aligned for found in RuleJudge()(cases))


def test_rules_count_what_is_pointed_at() -> None:
    cases = [
        Case(question="How many?", options=("one", "two"), reasoning="Here", answer=a, pointed=n)
        for a, n in (("two", 2), ("two", 3), ("two", 1), ("one", 3))
    ]
    aligned = [found is not None and found.aligned for found in RuleJudge()(cases)]
    assert aligned == [True, True, False, False]
