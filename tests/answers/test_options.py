import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundrl.answers.options import (
    answer_f1,
    is_correct,
    is_exactly_correct,
    is_unparsed,
    normalise,
    normalise_value,
    read_answer,
)
from groundrl.language.numbers import NUMBERS
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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("three", "3"), ("Three.", "3"), ("3", "3"), (" 3. ", "3"), ("+3.0", "3"), ("003", "3"),
        ("0", "0"), ("-0.0", "0"), ("zero", "0"), ("twelve", "12"), ("1,000", "1000"),
        ("-3", "-3"), ("1.50", "1.5"), ("15", "15"), ("0.5", "0.5"), ("3 cups", "3cups"),
        ("thirteen", "thirteen"), ("1.5.2", "152"), ("NaN", "nan"), ("1e3", "1e3"), ("", ""),
    ],
)  # fmt: skip
def test_numbers_are_compared_by_their_value(text: str, value: str) -> None:
    assert normalise_value(text) == value


@given(number=st.integers(0, 12), negative=st.booleans())
def test_a_number_word_is_its_number(number: int, negative: bool) -> None:
    sign = "-" if negative and number else ""
    assert normalise_value(f"{sign}{number}.0") == f"{sign}{number}"
    assert normalise_value(NUMBERS[number].capitalize()) == str(number)


def test_a_number_chooses_the_option_of_its_value() -> None:
    assert read_answer("3", ["two", "three"]) == {"three"}
    assert read_answer("three, 2.", ["2", "3"]) == {"2", "3"}
    assert read_answer("1.50", ["1.5", "15"]) == {"1.5"}
    # Then the word is another option than the number.
    assert read_answer("three", ["3", "three"]) == {"three"}
    assert read_answer("Red!", ["3", "three", "red"]) == {"red"}


def test_an_open_answer_may_be_a_number() -> None:
    assert is_correct("3", sample((), ("three",)))
    assert is_correct("Three", sample((), ("3",)))
    assert not is_correct("-3", sample((), ("3",)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("red, green", 1.0), ("C, A", 1.0), ("red", 2 / 3), ("red, blue", 0.5), ("blue", 0.0),
        ("red, blue, green", 0.8), ("purple", 0.0), ("", 0.0), (None, 0.0),
    ],
)  # fmt: skip
def test_partial_credit_is_the_f1_of_the_options(text: str | None, value: float) -> None:
    both = sample(("red", "blue", "green"), ("red", "green"))
    assert answer_f1(text, both) == pytest.approx(value)


def test_partial_credit_of_an_open_question_is_all_or_nothing() -> None:
    assert answer_f1("Sofa.", sample((), ("couch", "sofa"))) == 1.0
    assert answer_f1("so", sample((), ("couch", "sofa"))) == 0.0
    assert answer_f1("red", sample(("red", "blue"), ())) == 0.0


@given(
    chosen=st.sets(st.sampled_from(COLORS), min_size=1),
    right=st.sets(st.sampled_from(COLORS), min_size=1),
)
def test_partial_credit_is_full_exactly_for_the_right_answer(
    chosen: set[str], right: set[str]
) -> None:
    asked = sample(tuple(COLORS), tuple(right))
    value = answer_f1(", ".join(chosen), asked)
    assert 0.0 <= value <= 1.0
    assert (value == 1.0) == is_correct(", ".join(chosen), asked)
    assert (value == 0.0) == chosen.isdisjoint(right)


def test_an_open_answer_is_its_letters_and_digits() -> None:
    assert read_answer("A Red, vase!", []) == {"aredvase"}
    assert read_answer("?!", []) is None
    assert normalise("Ünder 30 km/h") == "ünder30kmh"


@pytest.mark.slow
def test_endless_lists_are_read_at_once() -> None:
    assert read_answer("red," * 50_000, COLORS) == {"red"}
    assert read_answer("a and " * 30_000, COLORS) == {"red"}
    assert read_answer("0" * 100_000 + "x", ["1", "2"]) is None
    assert normalise_value("1,000" * 20_000 + "." * 9) == "1000" * 20_000


def test_correct_means_exactly_the_answer_set() -> None:
    both = sample(("red", "blue", "green"), ("red", "green"))
    assert is_correct("green, red", both)
    assert is_correct("A, C", both)
    assert not is_correct("red", both)
    assert not is_correct("red, blue, green", both)
    assert not is_correct("", both)
    assert not is_correct(None, both)


def test_exactly_correct_means_the_answer_and_nothing_else() -> None:
    both, open_question = sample(("red", "blue"), ("red",)), sample((), ("couch", "sofa"))
    for text, asked in {"Red.": both, "A": both, "Sofa": open_question}.items():
        assert is_exactly_correct(text, asked)
    for text, asked in {"The answer is red": both, "It is a sofa.": open_question}.items():
        assert is_correct(text, asked) is (asked is both)
        assert not is_exactly_correct(text, asked)
    assert not is_exactly_correct(None, both)
    assert not is_exactly_correct("red", sample((), ()))


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


def test_the_letter_of_the_other_verdict_takes_a_verdict_back() -> None:
    assert read_answer("no, there is none", ("no", "yes")) == {"no"}
    assert read_answer("no, B", ("no", "yes")) is None
    assert read_answer("no (A)", ("no", "yes")) == {"no"}


@pytest.mark.slow
@given(
    first=st.sampled_from(COLORS),
    second=st.sampled_from(COLORS),
    joint=st.sampled_from(
        [" or ", ". Or ", "! ", "? ", "\nor ", " - ", ". The answer is ", " vs "]
    ),
    lead=st.sampled_from(["", "Answer: ", "The answer is ", "I say ", "**", "Option "]),
)
def test_two_different_options_are_never_the_one_that_is_right(
    first: str, second: str, joint: str, lead: str
) -> None:
    if first != second:
        chosen = read_answer(f"{lead}{first}{joint}{second}", COLORS)
        assert chosen is None or (joint == ". The answer is " and chosen == {second})
        letters = [chr(ord("A") + COLORS.index(one)) for one in (first, second)]
        chosen = read_answer(f"{lead}{letters[0]}{joint}{letters[1]}", COLORS)
        assert chosen is None or (joint == ". The answer is " and chosen == {second})


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    ["answer: ", "\\boxed{", "<|begin_of_box|>", " ", "\n", "_", "a_", "`", "选", "A ", "(A",
     "A.\n", "answer is B. ", "it is ", "yes, ", "> ", "is ", "red! "],
)  # fmt: skip
def test_hostile_answers_are_read_in_linear_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    for options in (COLORS, ("yes", "no"), ()):
        read_answer(text, options)
        read_answer(f"A{text}x\ny", options)
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("text", "options", "answers", "unparsed"),
    [
        ("false", (), ("true",), False),  # wrong, but said
        ("the statement is false", (), ("true",), False),
        ("maybe", (), ("true",), True),
        ("true or false", (), ("true",), True),
        ("blue", ("red", "blue"), ("red",), False),
        ("purple", ("red", "blue"), ("red",), True),
        ("a dog", (), ("cat",), False),
        ("...", (), ("cat",), True),
        (None, (), ("true",), True),
    ],
)
def test_an_answer_that_is_wrong_is_told_from_one_that_says_nothing(
    text: str | None, options: tuple[str, ...], answers: tuple[str, ...], unparsed: bool
) -> None:
    assert is_unparsed(text, sample(options, answers)) is unparsed
    assert not (unparsed and is_correct(text, sample(options, answers)))
