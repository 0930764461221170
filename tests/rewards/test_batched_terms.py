"""Terms that rate many attempts at once stand beside those that rate one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from attempts import SIZES, completion, sample

from groundrl.answers.attempt import Attempt
from groundrl.boxes import Frame
from groundrl.grammar import GRAMMARS
from groundrl.records import RolloutGroup, SpanScore
from groundrl.rewards.base import BatchedTerm, Rating, RewardSum, RewardTerm, Unanswered
from groundrl.rewards.terms.acc import Acc


@dataclass(frozen=True)
class Lengths:
    """Rates by length, and refuses what is empty."""

    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 0.5
    calls: list[int] = field(default_factory=list)

    def rate(self, attempts: Sequence[Attempt]) -> list[float | Rating | Unanswered | None]:
        self.calls.append(len(attempts))
        return [self._rate(attempt.completion.text) for attempt in attempts]

    def _rate(self, text: str) -> float | Rating | Unanswered | None:
        if not text:
            return Unanswered(reason="nothing to read")
        if text == "?":
            return None
        span = SpanScore(start=0, stop=1, value=2.0)
        return Rating(value=float(len(text)), spans=(span,)) if text[0] == "<" else 1.0


def rewarded(term: BatchedTerm) -> RewardSum:
    return RewardSum(
        terms={"acc": Acc(), "long": term}, grammar=GRAMMARS["inline_box"], frame=Frame.MODEL
    )


def group(*texts: str) -> RolloutGroup:
    return RolloutGroup(
        sample=sample(), sizes=SIZES, completions=tuple(completion(text) for text in texts)
    )


def test_a_term_gets_all_attempts_at_once() -> None:
    term = Lengths()
    assert not isinstance(term, RewardTerm)
    reward = rewarded(term)
    answer = "<think>so</think><answer>red</answer>"
    (first, second) = reward([group(answer, ""), group("?", "abc")])
    assert term.calls == [4]
    assert [one.score.total for one in first] == [1 + 0.5 * len(answer), 0.0]
    assert [one.score.parts["long"] for one in second] == [None, 1.0]
    assert first[0].score.spans == {"long": (SpanScore(start=0, stop=1, value=2.0),)}
    assert first[1].score.unanswered == {"long": "nothing to read"}
    assert first[1].score.parts["long"] is None
    assert second[0].score.unanswered == {}


def test_several_such_terms_rate_in_their_order() -> None:
    reward = RewardSum(
        terms={"a": Lengths(), "acc": Acc(), "b": Lengths(weight=2.0)},
        grammar=GRAMMARS["inline_box"],
        frame=Frame.MODEL,
    )
    ((one,),) = reward([group("abc")])
    assert one.score.parts == {"a": 1.0, "acc": 0.0, "b": 1.0}
    assert one.score.total == 2.5


@dataclass(frozen=True)
class Careless(Lengths):
    def rate(self, attempts: Sequence[Attempt]) -> list[float | Rating | Unanswered | None]:
        return [1.0]


@dataclass(frozen=True)
class Endless(Lengths):
    def rate(self, attempts: Sequence[Attempt]) -> list[float | Rating | Unanswered | None]:
        span = SpanScore(start=0, stop=1, value=float("inf"))
        return [Rating(value=1.0, spans=(span,)) for _ in attempts]


def test_wrong_numbers_of_values_and_endless_ones_are_loud() -> None:
    with pytest.raises(ValueError, match="reward term long returned 1 values for 2 attempts"):
        rewarded(Careless())([group("a", "b")])
    with pytest.raises(ValueError, match="reward term long returned inf for sample"):
        rewarded(Endless())([group("a", "b")])
