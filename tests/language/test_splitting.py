"""Sentences are found where they end, and nowhere else."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.language.splitting import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("A cup. A dog!  Is it red?", ["A cup.", "A dog!", "Is it red?"]),
        ("A dog at 3 p.m. sits here.", ["A dog at 3 p.m. sits here."]),
        ("It is 0.5 m long. Yes", ["It is 0.5 m long.", "Yes"]),
        ("No. It is not.", ["No.", "It is not."]),
        ("one line\nanother\n\n- a third.", ["one line", "another", "- a third."]),
        ("猫がいる。犬もいる。", ["猫がいる。", "犬もいる。"]),
        (
            "<think>The <obj>st. bus</obj><bbox>[1, 2. 3, 4]</bbox> waits. So yes.</think>"
            "<answer>yes</answer>",
            [
                "<think>The <obj>st. bus</obj><bbox>[1, 2. 3, 4]</bbox> waits.",
                "So yes.</think><answer>yes</answer>",
            ],
        ),
        ("", []),
        (" ... <think></think> ", []),
    ],
)
def test_a_text_is_split_where_its_sentences_end(text: str, sentences: list[str]) -> None:
    assert [text[start:stop] for start, stop in split_sentences(text)] == sentences


@given(st.text(alphabet="ab .!?\n<>[]。", max_size=60))
def test_sentences_hold_every_letter_once_in_order(text: str) -> None:
    spans = split_sentences(text)
    assert all(start < stop for start, stop in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
