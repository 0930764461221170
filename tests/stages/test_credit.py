"""A term that rates parts of the text gives the tokens of each part their own advantage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from attempts import SIZES, sample
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_runs import grpo_module, logged, train, weights

from groundrl.advantages import Advantage
from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.grammar import GRAMMARS
from groundrl.policy.policy import Policy
from groundrl.records import Completion, RolloutGroup, Score, SpanScore
from groundrl.rewards.base import Rating, RewardedAttempt, Unanswered
from groundrl.stages.credit import token_advantages, token_range

WORDS = ("a cup", " is", " red", ".", "", " A dog", " barks", ".")


def decode(tokens: Sequence[int]) -> str:
    return "".join(WORDS[token] for token in tokens)


def rated(tokens: tuple[int, ...], *spans: tuple[str, float], base: float = 0.0) -> RewardedAttempt:
    text = decode(tokens)
    completion = Completion(
        text=text, tokens=tokens, logprobs=(-1.0,) * len(tokens), truncated=False
    )
    group = RolloutGroup(sample=sample(), sizes=SIZES, completions=(completion,))
    attempt = read_attempt(group, completion, GRAMMARS["inline_box"], Frame.PIXEL)
    marked = tuple(
        SpanScore(start=text.index(part), stop=text.index(part) + len(part), value=value)
        for part, value in spans
    )
    parts = {"base": base, "truth": sum(value for _, value in spans)}
    total = sum(parts.values())
    return RewardedAttempt(
        attempt=attempt, score=Score(total=total, parts=parts, spans={"truth": marked})
    )


def of_tokens(
    advantage: Advantage, *groups: list[RewardedAttempt]
) -> tuple[torch.Tensor, torch.Tensor]:
    terms = torch.tensor(
        [[[one.score.parts[k] for one in group] for group in groups] for k in ("base", "truth")],
        dtype=torch.float64,
    )
    both = {"base": 1.0, "truth": 2.0}
    compared = advantage.of_terms(terms, torch.tensor([1.0, 2.0], dtype=torch.float64))
    return token_advantages(groups, compared, both, advantage, decode), compared.total


def test_each_token_has_the_advantage_of_its_sentence() -> None:
    tokens = (0, 1, 2, 3, 5, 6, 7)
    group = [
        rated(tokens, ("a cup is red.", 1.0), (" A dog barks.", 0.0)),
        rated(tokens[:4], ("a cup is red.", 1.0)),
    ]
    got, _ = of_tokens(Advantage(), group)
    true, false, nothing = got[0, 0, 0], got[0, 0, 4], got[0, 1, 4]
    assert true > 0 > false
    assert got[0, 0].tolist() == [true] * 4 + [false] * 3
    assert got[0, 1].tolist() == [true] * 4 + [nothing] * 3
    assert nothing == 0


@settings(deadline=None)
@given(values=st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=5))
def test_one_span_per_completion_is_what_the_completion_earned(values: list[float]) -> None:
    tokens = (0, 1, 2, 3)
    group = [rated(tokens, ("a cup is red.", value), base=value**2) for value in values]
    got, total = of_tokens(Advantage(), group)
    torch.testing.assert_close(got, total[:, :, None].expand(-1, -1, 4), rtol=1e-4, atol=1e-5)


def test_a_group_with_one_span_falls_back_to_its_completions() -> None:
    group = [rated((0, 1), ("a cup", 1.0)), rated((0, 1, 2))]
    got, total = of_tokens(Advantage(), group)
    assert got[0, 0].tolist() == pytest.approx([*[float(total[0, 0])] * 2, 0.0])
    assert got[0, 1].tolist() == pytest.approx([float(total[0, 1])] * 3)


@given(
    tokens=st.lists(st.integers(0, len(WORDS) - 1), max_size=12).map(tuple),
    ends=st.tuples(st.integers(0, 40), st.integers(0, 40)),
)
def test_a_part_of_the_text_has_the_tokens_that_write_it(
    tokens: tuple[int, ...], ends: tuple[int, int]
) -> None:
    text = decode(tokens)
    start, stop = sorted(min(end, len(text)) for end in ends)
    if start == stop:
        return
    completion = Completion(text=text, tokens=tokens, logprobs=(), truncated=False)
    part = token_range(completion, start, stop, decode)
    places = [len(decode(tokens[:i])) for i in range(len(tokens) + 1)]
    expected = [i for i in range(len(tokens)) if places[i] < stop and places[i + 1] > start]
    inside = range(len(tokens))[part]
    assert [i for i in inside if WORDS[tokens[i]]] == [i for i in expected if WORDS[tokens[i]]]


@dataclass(frozen=True)
class FirstHalf:
    """Rates the first half of the text by its letters, and the second with zero."""

    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0
    unanswered: int = 0
    """So many of the attempts of each call."""

    def rate(self, attempts: Sequence[Attempt]) -> list[Rating | Unanswered]:
        return [
            Unanswered(reason="the server is down")
            if i < self.unanswered
            else self._rate(one.completion.text)
            for i, one in enumerate(attempts)
        ]

    def _rate(self, text: str) -> Rating:
        half = (len(text) + 1) // 2
        letters = sum(letter.isalpha() for letter in text[:half])
        spans = (
            SpanScore(start=0, stop=half, value=float(letters)),
            SpanScore(start=half, stop=len(text), value=0.0),
        )
        return Rating(value=float(letters), spans=spans if 0 < half < len(text) else ())


MakePolicy = Callable[..., Policy]


@pytest.mark.slow
def test_training_learns_from_spans_and_otherwise_than_from_completions(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    after = []
    for credit in ("completion", "span", "span"):
        policy = make_policy()
        module = grpo_module(policy, FirstHalf())
        module.advantage = Advantage(credit=credit)
        train(module, tmp_path / f"{len(after)}", steps=2)
        after.append(weights(policy))
    completion, span, again = after
    assert any(not torch.equal(span[name], completion[name]) for name in span)
    assert all(torch.equal(span[name], again[name]) for name in span)


@pytest.mark.slow
def test_training_stops_where_a_term_leaves_too_many_unanswered(
    make_policy: MakePolicy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = grpo_module(make_policy(), FirstHalf(unanswered=100))
    with pytest.raises(UserError, match=r"toy could not rate 12 of 12 .*: the server is down"):
        train(module, tmp_path / "down", steps=2)
    patient = grpo_module(make_policy(), FirstHalf(unanswered=1))
    patient.reward = type(patient.reward)(
        terms=patient.reward.terms,
        grammar=patient.reward.grammar,
        frame=patient.reward.frame,
        max_unanswered=1.0,
    )
    train(patient, tmp_path / "slow", steps=2)
    shares = logged(tmp_path / "slow")["reward/toy_unanswered"]
    assert all(1 / 12 <= share <= 0.25 for share in shares.values())
    assert "could not rate" in caplog.text
