"""Captions are read as people mean them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.language.numbers import NUMBERS
from groundrl.language.reading import parse_caption, split_label

NUMBER_WORDS = ("no", *NUMBERS)
NOUNS = {"cup", "box", "wine glass", "glass", "person", "bus"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A red cup.", [("cup", "red", None, False)]),
        ("a grey rubber cup", [("cup", "gray", None, False)]),
        ("Two cups and 12 boxes.", [("cup", None, 2, True), ("box", None, 12, True)]),
        ("No people, one wine glass.", [("person", None, 0, True), ("wine glass", None, 1, False)]),
        ("three large red buses", [("bus", "red", 3, True)]),
        ("A cupboard, a hiccup.", []),
        ("RED CUP", [("cup", "red", None, False)]),
        ("a buſ", [("bus", None, None, False)]),
        ("ſix CUPſ", [("cup", None, 6, True)]),
        ("a bİn, a PİNK cup", [("cup", None, None, False)]),
        (f"{'9' * 5000} cups", [("cup", None, None, True)]),
        ("", []),
    ],
)
def test_mentions(text: str, found: list[tuple[str, str | None, int | None, bool]]) -> None:
    mentions = parse_caption(text, NOUNS).mentions
    assert [(m.noun, m.color, m.number, m.plural) for m in mentions] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A red cup is left of the box.", [("cup", "left of", "box")]),
        ("The cup stands to the right of a blue box.", [("cup", "right of", "box")]),
        (
            "A cup is on a box and behind the bus.",
            [("cup", "on", "box"), ("cup", "behind", "bus")],
        ),
        ("There is a cup. Behind the box is nothing.", []),
        ("A cup. A box.", []),
    ],
)
def test_relations(text: str, found: list[tuple[str, str, str]]) -> None:
    said = parse_caption(text, NOUNS).relations
    assert [(s.subject.noun, str(s.relation), s.object.noun) for s in said] == found


def test_a_sentence_can_be_taken_out() -> None:
    reading = parse_caption("A cup. There is a box! A bus?", NOUNS)
    (mention,) = [m for m in reading.mentions if m.noun == "box"]
    assert reading.without_sentence(mention.sentence) == "A cup. A bus?"


@pytest.mark.slow
@given(st.text(max_size=200))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    reading = parse_caption(text, NOUNS)
    for mention in reading.mentions:
        assert mention.noun in NOUNS
        assert 0 <= mention.start < mention.end <= len(text)
        start, end = reading.sentences[mention.sentence]
        assert start <= mention.start < end


@pytest.mark.slow
@given(
    st.lists(
        st.sampled_from([*NOUNS, *NUMBER_WORDS, "red", "blue", "is", "left of", ".", "the", "and"]),
        max_size=30,
    )
)
def test_pieces_of_captions_in_any_order_can_be_read(words: list[str]) -> None:
    text = " ".join(words)
    reading = parse_caption(text, NOUNS)
    assert "".join(text[a:b] for a, b in reading.sentences) == text
    for said in reading.relations:
        assert said.subject.start < said.start < said.end <= said.object.start


LOOKALIKES = "İıſKßẞÅµςǅﬁ²٣"
"""Letters that become others, or two, where capitals are undone; digits that are none in ASCII."""


@pytest.mark.slow
@given(
    st.lists(
        st.sampled_from(
            [
                *NOUNS,
                *NUMBERS,
                "no",
                "red",
                "pink",
                "is",
                "beside",
                "next to",
                *LOOKALIKES,
                " ",
                ". ",
            ]
        ),
        max_size=20,
    ),
    st.dictionaries(st.sampled_from("isbk1"), st.sampled_from(LOOKALIKES), max_size=3),
    st.sets(st.text(alphabet="cubsıİſß", max_size=4), max_size=3),
)
def test_odd_letters_in_captions_and_labels_are_read(
    pieces: list[str], others: dict[str, str], nouns: set[str]
) -> None:
    text = "".join(others.get(letter, letter) for letter in "".join(pieces))
    known = {split_label(noun)[1] for noun in NOUNS | nouns}
    for case in (text, text.upper(), text.title()):
        reading = parse_caption(case, known)
        assert {mention.noun for mention in reading.mentions} <= known
        assert all(0 <= m.start < m.end <= len(case) for m in reading.mentions)


def test_labels_with_a_colour_are_taken_apart() -> None:
    assert split_label("Red Cup ") == ("red", "cup")
    assert split_label("wine glass") == (None, "wine glass")
    assert split_label("Reſt ROOM") == (None, "rest room")
    assert split_label("orange") == (None, "orange")
