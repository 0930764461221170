"""Options are found inside questions, and answers among options."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.data.formats.option_text import chosen_options, split_options

ASKED = [
    "What is it?\nA. cat\nB. dog",
    "What is it?\nOptions:\n(A) cat\n(B) dog",
    "What is it?\nChoices:\nA) cat\nB) dog\n",
    "What is it? (A) cat (B) dog",
    "What is it?\nOptions: (A) cat, (B) dog",
]


@pytest.mark.parametrize("text", ASKED)
def test_options_are_taken_out_of_the_question(text: str) -> None:
    asked = split_options(text)
    assert (asked.question, asked.options) == ("What is it?", ("cat", "dog"))


@pytest.mark.parametrize(
    "text",
    [
        "A. cat is it.\nOr is it?\nB. dog",
        "What is it?",
        "A. one letter alone",
        "Is it (B) or (C)?",
        "Who is J. S. Bach?",
        "B. x\nC. y",
    ],
)
def test_a_question_without_options_stays_as_it_is(text: str) -> None:
    assert split_options(text).question == text
    assert split_options(text).options == ()


def test_what_follows_the_options_is_kept() -> None:
    asked = split_options("What?\nA. cat\nB. dog\nAnswer with the letter.")
    assert asked.question == "What?\nAnswer with the letter."


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("B", ("dog",)),
        (" b ", None),
        ("(B)", ("dog",)),
        ("B.", ("dog",)),
        ("B. dog", ("dog",)),
        ("(A) cat", ("cat",)),
        ("dog", ("dog",)),
        ("Dog.", ("dog",)),
        ("A, C", ("cat", "a bird")),
        ("A and C", ("cat", "a bird")),
        ("D", None),
        ("A. dog", None),
        ("fish", None),
        ("", None),
    ],
)
def test_an_answer_names_options_or_is_refused(answer: str, chosen: tuple[str, ...] | None) -> None:
    options = ("cat", "dog", "a bird")
    if chosen is None:
        with pytest.raises(ValueError, match="is not among the options"):
            chosen_options(answer, options)
    else:
        assert chosen_options(answer, options) == chosen


@given(st.text(alphabet="AB().:\n cat", max_size=80))
def test_any_question_can_be_split(text: str) -> None:
    asked = split_options(text)
    assert len(asked.options) != 1
