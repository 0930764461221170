import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundrl.answers.options import is_correct, normalise, read_answer
from groundrl.records import ImageFile, Provenance, Sample

COLORS = ["red", "blue", "green"]


def sample(options: tuple[str, ...], answers: tuple[str, ...]) -> Sample:
    from pathlib import Path

    return Sample(
        id="1",
        image=ImageFile(path=Path("a.png"), width=4, height=4),
        question="Which?",
        options=options,
        answers=answers,
        provenance=Provenance(dataset="test", split="train"),
    )


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("red", {"red"}),
        ("Red.", {"red"}),
        (" r e d ", {"red"}),
        ("red, blue", {"red", "blue"}),
        ("Red and blue", {"red", "blue"}),
        ("red, blue, and green.", {"red", "blue", "green"}),
        ("red;\nblue\n", {"red", "blue"}),
        ("red, red", {"red"}),
        ("A", {"red"}),
        ("(B)", {"blue"}),
        ("c.", {"green"}),
        ("A, C", {"red", "green"}),
        ("C and A", {"red", "green"}),
        ("A C", {"red", "green"}),
        ("AC", {"red", "green"}),
        ("(A), (C)", {"red", "green"}),
        ("A. red", {"red"}),
        ("(A) red, (B) blue", {"red", "blue"}),
    ],
)
def test_words_and_letters_name_options(text: str, chosen: set[str]) -> None:
    assert read_answer(text, COLORS) == chosen


@pytest.mark.parametrize(
    "text",
    [
        None, "", " ", ",", "and", "()", "purple", "red, purple", "the red one", "A. blue", "D",
        "CA", "BAD", "A, D", "Options: red, blue, green.", "(A) red (B) blue (C) green", "red blue",
        "not red",
    ],
)  # fmt: skip
def test_anything_that_is_no_option_is_unreadable(text: str | None) -> None:
    assert read_answer(text, COLORS) is None


def test_words_win_over_letters() -> None:
    assert read_answer("a", ["b", "a"]) == {"a"}
    assert read_answer("A, C", ["C", "B", "A"]) == {"A", "C"}


def test_a_capital_is_a_letter_where_options_are_small_letters() -> None:
    assert read_answer("C", ["c", "x", "j"]) == {"j"}
    assert read_answer("c", ["c", "x", "j"]) == {"c"}
    assert read_answer("J.", ["c", "x", "j"]) == {"j"}


def test_options_may_hold_separators() -> None:
    options = ["bread and butter", "bread", "milk, cold"]
    assert read_answer("bread and butter", options) == {"bread and butter"}
    assert read_answer("milk, cold and bread", options) == {"milk, cold", "bread"}


def test_options_that_differ_by_punctuation_only_are_compared_exactly() -> None:
    assert read_answer("-1.", ["1", "-1"]) == {"-1"}
    assert read_answer("C++", ["C", "C++"]) == {"C++"}


def test_an_open_answer_is_its_letters_and_digits() -> None:
    assert read_answer("A Red, vase!", []) == {"aredvase"}
    assert read_answer("?!", []) is None
    assert normalise("Ünder 30 km/h") == "ünder30kmh"


@pytest.mark.slow
def test_endless_lists_are_read_at_once() -> None:
    assert read_answer("red," * 50_000, COLORS) == {"red"}
    assert read_answer("a and " * 30_000, COLORS) == {"red"}


def test_correct_means_exactly_the_answer_set() -> None:
    both = sample(("red", "blue", "green"), ("red", "green"))
    assert is_correct("green, red", both)
    assert is_correct("A, C", both)
    assert not is_correct("red", both)
    assert not is_correct("red, blue, green", both)
    assert not is_correct("", both)
    assert not is_correct(None, both)


def test_an_open_question_accepts_each_of_its_answers() -> None:
    open_question = sample((), ("couch", "sofa"))
    assert is_correct("Sofa.", open_question)
    assert not is_correct("couch, sofa", open_question)


def test_nothing_is_correct_without_answers() -> None:
    assert not is_correct("red", sample((), ()))


@given(
    chosen=st.sets(st.sampled_from(COLORS), min_size=1),
    separator=st.sampled_from([", ", " and ", "\n", "; "]),
)
@settings(max_examples=30)
def test_any_listing_of_options_reads_back(chosen: set[str], separator: str) -> None:
    assert read_answer(separator.join(chosen), COLORS) == chosen
    letters = [chr(ord("A") + COLORS.index(option)) for option in chosen]
    assert read_answer(separator.join(letters), COLORS) == chosen


@pytest.mark.slow
@given(st.text(max_size=60))
@settings(max_examples=100)
def test_no_text_makes_the_reader_raise(text: str) -> None:
    chosen = read_answer(text, COLORS)
    assert chosen is None or chosen <= set(COLORS)
