"""Tokens on colours."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.report.answers.token_colors import color_tokens, split_tokens
from groundrl.report.pictures.overlay import PREDICTED, TRUE

BYTES = "é 🙂 red".encode()


def decode(tokens: Sequence[int]) -> str:
    """Tokens are the bytes of UTF-8."""
    return bytes(tokens).decode("utf-8", "replace")


@given(st.text())
def test_the_pieces_of_the_tokens_are_the_text(text: str) -> None:
    tokens = list(text.encode())
    pieces = split_tokens(tokens, decode)
    assert len(pieces) == len(tokens)
    assert "".join(pieces) == text.rstrip("\ufffd")


def test_a_character_of_several_tokens_stands_at_its_last_one() -> None:
    assert split_tokens(list(BYTES), decode) == [
        *("", "é", " "),
        *("", "", "", "🙂", " "),
        *("r", "e", "d"),
    ]


def shades(html: str) -> list[str]:
    """Colour and opacity of each token."""
    return re.findall(r"background:(#\w{8})", html)


def test_green_is_above_zero_and_magenta_below() -> None:
    up, level, down = shades(color_tokens(["a", "b", "c"], [0.5, 0.0, -1.0]))
    assert (up[:7], level[7:], down[:7]) == (TRUE, "00", PREDICTED)
    assert 2 * int(up[7:], 16) == pytest.approx(int(down[7:], 16), abs=1)


def test_texts_can_share_a_scale() -> None:
    assert shades(color_tokens(["a"], [0.5])) != shades(color_tokens(["a"], [0.5], limit=2.0))
    assert shades(color_tokens(["a"], [9.0], limit=2.0)) == shades(color_tokens(["a"], [0.5]))


def test_what_a_model_writes_is_text_and_no_markup() -> None:
    assert "<b>" not in color_tokens(["<b>"], [1.0])


def test_every_token_has_a_value() -> None:
    with pytest.raises(ValueError, match="zip"):
        color_tokens(["a", "b"], [1.0])
