"""Reward terms and their weighted sum. A completion is parsed here, once."""

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from inspect import signature
from typing import ClassVar, Protocol, runtime_checkable

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import Frame
from groundrl.config_node import ConfigNode
from groundrl.grammar.base import Grammar
from groundrl.records import RolloutGroup, Score, SpanScore


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """The value of an attempt, and of parts of its text."""

    value: float
    spans: tuple[SpanScore, ...] = ()
    """Without overlap; text outside of them earns nothing of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A model or a server could not rate this attempt."""

    reason: str


@runtime_checkable
class RewardTerm(Protocol):
    """Rates one aspect of an attempt by rule.

    Four more members are optional: ``measures`` (``measured_by``); ``gamed_by``, the names of the
    cheats of the audit that the term is known to pay; ``with_policy`` (``policy_weights``); and
    ``explain(attempt) -> str``, one line that says how the value comes about.
    """

    needs: ClassVar[frozenset[str]]
    """What samples must have for the term to apply to any of them: "answers", "groundings"."""

    @property
    def weight(self) -> float:
        """Factor in the sum; any real number."""
        ...

    def __call__(self, attempt: Attempt) -> float | Rating | None:
        """The unweighted value; None where the term does not apply to the attempt."""
        ...


@runtime_checkable
class BatchedTerm(Protocol):
    """Rates one aspect of many attempts at once, with a model or a server."""

    needs: ClassVar[frozenset[str]]
    """As of a ``RewardTerm``."""

    @property
    def weight(self) -> float:
        """Factor in the sum; any real number."""
        ...

    def rate(self, attempts: Sequence[Attempt]) -> Sequence[float | Rating | Unanswered | None]:
        """What each attempt gets, in their order. The attempts are whatever has been sampled since
        the last call; calls do not overlap."""
        ...


def measured_by(term: RewardTerm | BatchedTerm) -> frozenset[str]:
    """The aspects in which the term tells a good completion from a bad one, for the audit
    (``audit.yardstick``): its ``measures``, else its ``needs``."""
    return getattr(term, "measures", term.needs)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardedAttempt:
    """A completion as it was read, and its reward."""

    attempt: Attempt
    score: Score


@dataclass(frozen=True, kw_only=True)
class RewardSum:
    """``R = sum(weight_k * r_k)`` over the terms that apply, not normalised; 0 when none does."""

    supplied_arguments: ClassVar[frozenset[str]] = frozenset({"grammar", "frame"})

    terms: Mapping[str, RewardTerm | BatchedTerm]
    """By the name under which each is logged."""
    grammar: Grammar
    """How boxes and answers are written in the completions."""
    frame: Frame
    """The frame of the coordinates in the completions."""
    max_unanswered: float = 0.1
    """Share of the completions of a step that a term may leave unanswered; above it training
    stops."""

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """Terms of classes that lack what makes a term."""
        for name in node.options.get("terms", {}):
            path = f"{node.path}.terms.{name}"
            term = node.targets.get(path)
            if isinstance(term, type) and (lacking := _lacking(term)):
                where = f"{term.__module__}.{term.__qualname__}"
                yield f"{path}: {where} is no reward term, it lacks {'; '.join(lacking)}"

    def __call__(self, groups: Sequence[RolloutGroup]) -> list[list[RewardedAttempt]]:
        """Each completion parsed and scored, [P][G].

        Raises ValueError where a term returns NaN or infinity, or not one value for each attempt.
        """
        attempts = [
            read_attempt(group, completion, self.grammar, self.frame)
            for group in groups
            for completion in group.completions
        ]
        rewarded = iter(self.score(attempts))
        return [[next(rewarded) for _ in group.completions] for group in groups]

    def score(self, attempts: Sequence[Attempt]) -> list[RewardedAttempt]:
        """The attempts with the parts and the totals of their rewards; ValueError as above."""
        batched = {name: term for name, term in self.terms.items() if isinstance(term, BatchedTerm)}
        if len(batched) > 1:
            # They mostly wait: for a server, or for a device.
            with ThreadPoolExecutor(len(batched)) as pool:
                futures = {name: pool.submit(term.rate, attempts) for name, term in batched.items()}
            rated = {name: future.result() for name, future in futures.items()}
        else:
            rated = {name: term.rate(attempts) for name, term in batched.items()}
        columns = {
            name: [term(attempt) for attempt in attempts]
            if isinstance(term, RewardTerm)
            else rated[name]
            for name, term in self.terms.items()
        }
        for name, values in columns.items():
            if len(values) != len(attempts):
                raise ValueError(
                    f"reward term {name} returned {len(values)} values for {len(attempts)} attempts"
                )
        return [
            self._sum(attempt, {name: values[i] for name, values in columns.items()})
            for i, attempt in enumerate(attempts)
        ]

    def _sum(
        self, attempt: Attempt, values: Mapping[str, float | Rating | Unanswered | None]
    ) -> RewardedAttempt:
        total, parts = 0.0, dict[str, float | None]()
        spans, unanswered = dict[str, tuple[SpanScore, ...]](), dict[str, str]()
        for name, value in values.items():
            parts[name] = None
            if isinstance(value, Unanswered):
                unanswered[name] = value.reason
            elif value is not None:
                rating = value if isinstance(value, Rating) else Rating(value=value)
                _check_finite(name, rating, attempt)
                parts[name] = rating.value
                total += self.terms[name].weight * rating.value
                if rating.spans:
                    spans[name] = rating.spans
        score = Score(total=total, parts=parts, spans=spans, unanswered=unanswered)
        return RewardedAttempt(attempt=attempt, score=score)


def _lacking(term: type) -> list[str]:
    """What the class has to get so that its objects are terms, in the words of Python."""
    members = {name for base in term.__mro__[:-1] for name in vars(base)}
    # Set by a constructor they are no member of the class.
    members |= {*getattr(term, "__dataclass_fields__", ()), *signature(term).parameters}
    wanted = {
        "needs": "needs: ClassVar[frozenset[str]] = frozenset()",
        "weight": "weight: float = 1.0",
    }
    lacking = [f"'{line}'" for name, line in wanted.items() if name not in members]
    if not {"__call__", "rate"} & members:
        lacking.append("'def __call__(self, attempt: Attempt) -> float | None'")
    return lacking


def _check_finite(name: str, rating: Rating, attempt: Attempt) -> None:
    for value in (rating.value, *(span.value for span in rating.spans)):
        if not math.isfinite(value):
            raise ValueError(
                f"reward term {name} returned {value} for sample {attempt.sample.id!r} and the "
                f"completion {attempt.completion.text[:200]!r}"
            )
