"""A caption with its verdicts, in pieces."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthesis_files import KEEP, checked, reject, repair

from groundrl.synthesis.annotations import ErrorKind
from groundrl.synthesis.report.captions import TextPiece, caption_steps, mark_changes


def notation(pieces: Sequence[TextPiece]) -> str:
    """``[-removed-]``, ``[+added+]``, ``*error*``."""
    parts = []
    for piece in pieces:
        text = f"*{piece.text}*" if piece.is_error else piece.text
        sign = {"": "", "added": "+", "removed": "-"}[piece.change]
        parts.append(f"[{sign}{text}{sign}]" if sign else text)
    return "".join(parts)


def test_a_repair_stands_beside_what_it_replaces() -> None:
    verdict = repair("red cup", "It is a blue cup. Nice.")
    pieces = mark_changes("It is a red cup. Nice.", verdict)
    assert notation(pieces) == "It is a [-*red cup*-][-.-][+blue cup.+] Nice."
    (step,) = caption_steps(checked("It is a red cup. Nice.", verdict))
    assert (step.decision, step.error, step.is_repeated) == ("repair", "attribute", False)


def test_a_sentence_that_a_repair_leaves_out_is_removed() -> None:
    wrong = repair("two dogs", "A cup. A box.", ErrorKind.OBJECT)
    steps = caption_steps(checked("A cup. I see two dogs. A box.", wrong, KEEP))
    assert notation(steps[0].pieces) == "A cup. [-I see -][-*two dogs*-][-.-] A box."
    assert (steps[1].is_repeated, steps[1].decision, steps[1].pieces) == (True, "keep", ())


def test_of_a_rejected_caption_the_wrong_words_are_removed() -> None:
    assert notation(mark_changes("This is a dog.", reject("dog"))) == "This is a [-*dog*-]."


@pytest.mark.parametrize("span", ["", "a cat"])
def test_without_its_wrong_words_a_rejected_caption_is_removed_as_a_whole(span: str) -> None:
    (step,) = caption_steps(checked("This is a dog.", reject(span)))
    assert notation(step.pieces) == "[-This is a dog.-]"
    assert step.missing_span == span


def test_a_caption_that_was_not_verified_has_no_reason() -> None:
    (step,) = caption_steps(checked("A cup."))
    assert (notation(step.pieces), step.reason) == ("A cup.", None)


def test_a_caption_that_needs_repair_too_often_is_given_up() -> None:
    given_up = replace(checked("A red cup.", repair("red", "A blue cup.")), text=None)
    assert caption_steps(given_up)[-1].reason == "given up: repaired too often"


WORDS = st.lists(st.sampled_from(["a", "red", "cup.", "<i>", "b&b"]), max_size=9).map(" ".join)


@given(before=WORDS, after=WORDS, start=st.integers(0, 20), length=st.integers(0, 9))
def test_removed_and_unchanged_pieces_are_the_caption(
    before: str, after: str, start: int, length: int
) -> None:
    pieces = mark_changes(before, repair(before[start : start + length], after))
    assert "".join(piece.text for piece in pieces if piece.change != "added") == before
    left = "".join(piece.text for piece in pieces if piece.change != "removed")
    assert "".join(left.split()) == "".join(after.split())
