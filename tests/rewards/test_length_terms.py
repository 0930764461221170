"""Terms on the length of completions, against the published formulas."""

import math

import pytest
from attempts import attempt, box, sample

from groundrl.errors import UserError
from groundrl.rewards.terms.length_cosine import LengthCosine
from groundrl.rewards.terms.length_overlong import LengthOverlong, overlong_penalty

ONE = sample(box(0, 0, 10, 10))
RIGHT, WRONG = "<think></think><answer>red</answer>", "<think></think><answer>blue</answer>"


@pytest.mark.parametrize(
    ("tokens", "penalty"), [(0, 0.0), (96, 0.0), (104, -0.25), (128, -1.0), (5000, -1.0)]
)
@pytest.mark.parametrize("text", [RIGHT, WRONG])
def test_length_is_free_up_to_the_margin_and_then_falls_to_minus_one(
    tokens: int, penalty: float, text: str
) -> None:
    assert LengthOverlong()(attempt(ONE, text, tokens=tokens)) == penalty


def test_overlong_answers_are_punished_as_dapo_writes_it() -> None:
    longest, cache = 20480, 4096
    for tokens in range(0, 24000, 500):
        if tokens <= longest - cache:
            published = 0.0
        elif tokens <= longest:
            published = ((longest - cache) - tokens) / cache
        else:
            published = -1.0
        assert overlong_penalty(tokens, longest, cache) == pytest.approx(published)


@pytest.mark.parametrize(
    ("text", "tokens", "value"),
    [
        (RIGHT, 0, 2.0),
        (RIGHT, 50, 1.5),
        # 1 + (1 + cos 45 degrees) / 2
        (RIGHT, 25, 1 + (1 + math.sqrt(0.5)) / 2),
        (WRONG, 0, -10.0),
        (WRONG, 50, -5.0),
        ("", 50, -5.0),
        (RIGHT, 100, -10.0),
        (WRONG, 100, -10.0),
        (RIGHT, 900, -10.0),
    ],
)
def test_the_cosine_pays_for_short_right_and_long_wrong_answers(
    text: str, tokens: int, value: float
) -> None:
    term = LengthCosine(max_tokens=100)
    assert term(attempt(ONE, text, tokens=tokens)) == pytest.approx(value)


def test_the_cosine_falls_where_right_and_rises_where_wrong() -> None:
    values = {
        text: [LengthCosine()(attempt(ONE, text, tokens=n)) for n in range(128)]
        for text in (RIGHT, WRONG)
    }
    assert values[RIGHT] == sorted(values[RIGHT], key=lambda v: -(v or 0.0))
    assert values[WRONG] == sorted(values[WRONG], key=lambda v: v or 0.0)
    assert min(v or 0.0 for v in values[RIGHT]) > max(v or 0.0 for v in values[WRONG])


def test_the_cosine_does_not_apply_without_known_answers() -> None:
    boxes_only = sample(box(0, 0, 10, 10), answers=(), options=())
    assert LengthCosine()(attempt(boxes_only, RIGHT)) is None
    assert LengthCosine.needs == {"answers"}


def test_impossible_lengths_are_refused() -> None:
    with pytest.raises(UserError, match="margin=0"):
        LengthOverlong(margin=0)
    with pytest.raises(UserError, match="max_tokens=8"):
        LengthOverlong(max_tokens=8)
    with pytest.raises(UserError, match="max_tokens=0"):
        LengthCosine(max_tokens=0)
