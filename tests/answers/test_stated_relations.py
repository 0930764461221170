"""Relations between phrases with boxes, as reasoning states them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundrl.answers.stated_relations import read_relations
from groundrl.boxes import Box, Frame
from groundrl.records import Grounding, Segments

BOX = Box(x1=0.0, y1=0.0, x2=1.0, y2=1.0, frame=Frame.PIXEL)


def segments(text: str) -> Segments:
    """ "The <cup> is here." with a box behind each name in angle brackets."""
    parts = re.split(r"<(\w+)>", text)
    return tuple(
        Grounding(label=part, box=BOX) if i % 2 else part for i, part in enumerate(parts) if part
    )


def stated(text: str) -> list[str]:
    return [
        f"{one.subject.label}{' not' if one.denied else ''} {one.relation} {one.object.label}"
        for one in read_relations(segments(text))
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The <cup> is left of the <lamp>.", ["cup left of lamp"]),
        ("the <cup> is to the right of a <lamp>", ["cup right of lamp"]),
        ("A <cup> stands right behind the <lamp>!", ["cup behind lamp"]),
        ("The <cup>, which is above the <lamp>, is red.", ["cup above lamp"]),
        ("The <cup> in front of the <lamp> is red.", ["cup in front of lamp"]),
        ("The <cup> is under the <lamp>.", ["cup below lamp"]),
        ("The <cup> isn’t left of the <lamp>.", ["cup not left of lamp"]),
        ("The <cup> and the <box> are not behind the <lamp>.", [
            "cup not behind lamp", "box not behind lamp",
        ]),
        ("I see the <cup>, the <box> and the <bin> left of the <lamp>.", [
            "cup left of lamp", "box left of lamp", "bin left of lamp",
        ]),
        ("The <cup> is left of the <lamp> and behind the <box>.", [
            "cup left of lamp", "cup behind box",
        ]),
        ("The <cup> is left of the <lamp>, and the <box> is right of the <bin>.", [
            "cup left of lamp", "box right of bin",
        ]),
        ("I see the <cup> left of the <lamp> and the <box> right of the <bin>.", [
            "cup left of lamp", "box right of bin",
        ]),
        ("There is a <cup>, and the <box> is left of the <lamp>.", ["box left of lamp"]),
        ("Look at the <lamp>: the <cup> is left of it.", ["cup left of lamp"]),
        ("Look at the <lamp>: of these, <cup> and <box> are not below it.", [
            "cup not below lamp", "box not below lamp",
        ]),
        ("Here is the <lamp>, and the <cup>, the <box> and the <bin> are behind them.", [
            "cup behind lamp", "box behind lamp", "bin behind lamp",
        ]),
        ("Right of the <lamp> I see the <cup> and the <box>: that makes two.", [
            "cup right of lamp", "box right of lamp",
        ]),
        ("There are two left of the <lamp>: the <cup> and the <box>.", [
            "cup left of lamp", "box left of lamp",
        ]),
        ("Left of the <lamp> is the <cup>, and the <box> is red.", ["cup left of lamp"]),
        ("Hm. No <bin>. The <cup> is red. It is above the <lamp>. The <box> is above the <cup>.", [
            "box above cup",
        ]),
    ],
)  # fmt: skip
def test_relations_are_read_from_their_usual_wordings(text: str, found: list[str]) -> None:
    assert stated(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<cup>",
        "<cup> <lamp>",
        "The <cup> is near the <lamp>.",
        "The <cup> is on the <lamp>.",
        "Is the <cup> left of the <lamp>?",
        "The <cup> is left or right of the <lamp>.",
        "If the <cup> is left of the <lamp>, the answer is yes.",
        "There is no <cup> left of the <lamp>.",
        "Neither the <box> nor the <cup> is left of the <lamp>.",
        "The <cup> is here. Left of the <lamp>.",
        "The cup is left of the <lamp>.",
        "The <cup> is left of it.",
        "Left of the <lamp> I see nothing, but the <cup> is red.",
        "Nothing is left of the <lamp>: the <cup> is red.",
        "The <cup> is beside the <box>, and the <lamp> is left of it.",
        "Look at the <lamp>: the <cup> and the <box> is left of it.",
        "The <cup> near the <lamp> is left of it.",
        "The <cup> is red, and as far as I can tell that is more than left of the <lamp>.",
    ],
)
def test_what_states_no_relation_between_two_phrases_is_passed_over(text: str) -> None:
    assert stated(text) == []


def test_labels_are_no_part_of_the_sentence() -> None:
    odd = Grounding(label="st. bernard? if left of", box=BOX)
    (one,) = read_relations(("The ", odd, " is left of the ", odd, "."))
    assert (one.subject, one.object) == (odd, odd)


@pytest.mark.parametrize(
    "piece",
    [
        "<a> is left of the <b> and behind the ",
        "<a> and ",
        "left of " * 9,
        "is " * 9,
        "<a>,",
        ". <a>",
    ],
)
def test_long_texts_are_read_at_once(piece: str) -> None:
    found = list(read_relations(segments(piece * (100_000 // len(piece)))))
    assert len(found) < 100_000


def test_it_is_looked_for_once_in_a_sentence() -> None:
    text = "<a> and " * 6_000 + "are left of it <a> " * 3_000
    assert len(stated(text)) == 5_999


@given(
    st.lists(
        st.sampled_from(
            ["<a>", "<b>", " left of ", " is ", " and ", ", ", "the ", "it", ". ", "no "]
        ),
        max_size=12,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_text_is_read(pieces: list[str]) -> None:
    text = "".join(pieces)
    for one in read_relations(segments(text)):
        assert one.relation == "left of"
    assert stated(text) == [] or "left of" in text
