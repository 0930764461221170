"""The least wrong of several completions wins, and its wrong sentences go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from groundrl.language.splitting import split_sentences
from groundrl.records import Score, SpanScore
from groundrl.rewards.penalties import (
    best_of,
    drop_sentences,
    negative_signals,
    signal_variances,
    total_penalties,
)


def scored(noun: float | None, *spans: float) -> Score:
    marked = tuple(
        SpanScore(start=10 * i, stop=10 * i + 10, value=value) for i, value in enumerate(spans)
    )
    return Score(total=noun or 0.0, parts={"noun": noun}, spans={"noun": marked} if marked else {})


def test_only_what_is_negative_counts_span_by_span() -> None:
    groups = [[scored(0.2, 1.0, -0.5, -0.25), scored(-0.4), scored(0.9), scored(None)]]
    ((signals,),) = negative_signals(groups, ("noun",))
    assert signals[:3].tolist() == [0.75, 0.4, 0.0]
    assert np.isnan(signals[3])


def test_signals_are_divided_by_their_variance_and_added() -> None:
    signals = np.array([[[0.0, 1.0], [2.0, 3.0]], [[10.0, 10.0], [30.0, np.nan]]])
    variances = signal_variances(signals)
    assert variances.tolist() == pytest.approx([np.var([0, 1, 2, 3]), np.var([10, 10, 30])])
    got = total_penalties(signals, variances, np.array([1.0, 2.0]))
    assert got[1, 0] == pytest.approx(2 / variances[0] + 2 * 30 / variances[1])
    assert got[1, 1] == np.inf


def test_a_signal_that_never_varies_chooses_nothing() -> None:
    signals = np.array([[[0.0, 1.0]], [[5.0, 5.0]]])
    penalties = total_penalties(signals, signal_variances(signals), np.ones(2))
    assert best_of(penalties, np.zeros((1, 2))).tolist() == [0]


def test_ties_go_to_the_greater_reward_and_then_to_the_first() -> None:
    penalties = np.array([[1.0, 0.0, 0.0, 0.0], [np.inf] * 4, [np.inf, 7.0, np.inf, 8.0]])
    rewards = np.array([[9.0, 1.0, 2.0, 2.0], [1.0] * 4, [3.0, 1.0, 3.0, 2.0]])
    assert best_of(penalties, rewards).tolist() == [2, -1, 1]


VALUES = st.floats(0, 10).map(lambda value: round(value, 6))


@given(
    signals=arrays.arrays(np.float64, (2, 3, 4), elements=VALUES),
    scale=st.floats(0.1, 10),
)
def test_the_choice_of_one_signal_does_not_depend_on_its_scale(
    signals: np.ndarray, scale: float
) -> None:
    one = signals[:1]
    rewards = np.zeros((3, 4))
    first = total_penalties(one, signal_variances(one), np.ones(1))
    second = total_penalties(scale * one, signal_variances(scale * one), np.ones(1))
    chosen = best_of(first, rewards)
    rows = np.arange(3)
    assert one[0][rows, chosen].tolist() == one[0].min(axis=1).tolist()
    assert one[0][rows, best_of(second, rewards)].tolist() == pytest.approx(
        one[0].min(axis=1).tolist(), abs=1e-9
    )


TEXT = "There is a cup. There is a bus. It is red."


def test_sentences_that_are_rated_low_are_removed() -> None:
    spans = [
        SpanScore(start=100 + start, stop=100 + stop, value=value)
        for (start, stop), value in zip(split_sentences(TEXT), (1.0, 0.5, 1.0), strict=True)
    ]
    assert drop_sentences(TEXT, 100, spans, 1.0) == "There is a cup. It is red."
    assert drop_sentences(TEXT, 100, spans, 0.5) == TEXT
    assert drop_sentences(TEXT, 100, [], 1.0) == TEXT
    low = [SpanScore(start=0, stop=500, value=-1.0)]
    assert drop_sentences(TEXT, 100, low, 0.0) == ""
