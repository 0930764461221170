"""Answers that a judge rates from 0 to 6: what it reads, how a rating is read and saved."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

from pydantic import Field

from groundrl.answers.attempt import Attempt
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Benchmark, ScoredAttempt
from groundrl.evaluation.judging.verdict_cache import Judge
from groundrl.files import replace_file
from groundrl.json_rows import Text, Whole

BEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedAnswer:
    """What a rater reads."""

    contents: tuple[str, ...]
    """Things that are in the image."""
    question: str
    truth: str
    """The answer that people gave."""
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """A rater's verdict on an answer; also the shape of its JSON."""

    value: Annotated[Whole, Field(le=BEST)]
    """0 to 6; below 3 the answer invents something."""
    text: Text
    """The rater's own words."""


@runtime_checkable
class Rated(Protocol):
    """A benchmark whose answers are rated."""

    def to_rate(self, attempt: Attempt) -> RatedAnswer:
        """What the rater is to read."""
        ...


def read_rating(text: str) -> int:
    """The published reading: exactly one of "rating: 0" to "rating: 6" in the text, else 0."""
    low = text.lower()
    found = [value for value in range(BEST + 1) if f"rating: {value}" in low]
    return found[0] if len(found) == 1 else 0


def rate_answers(
    benchmarks: Mapping[str, Benchmark],
    answers: Mapping[str, list[ScoredAttempt]],
    rater: Judge[RatedAnswer, Rating] | None,
) -> dict[str, list[ScoredAttempt]]:
    """The answers, those of ``Rated`` benchmarks with the score "rating" where the rater was
    reached. Raises UserError when a benchmark needs a rater and there is none."""
    found = dict(answers)
    for name, benchmark in benchmarks.items():
        if not isinstance(benchmark, Rated):
            continue
        if rater is None:
            raise UserError(
                f"the answers to {name} are rated by a language model, and none is chosen: type "
                "judge=openai judge.chat.model=<name>"
            )
        ratings = rater([benchmark.to_rate(one.attempt) for one in answers[name]])
        found[name] = [
            one if r is None else replace(one, scores={**one.scores, "rating": float(r.value)})
            for one, r in zip(answers[name], ratings, strict=True)
        ]
    return found


def save_scores(path: Path, answers: Mapping[str, list[ScoredAttempt]]) -> None:
    """Put the scores of rated answers into their lines of ``predictions.jsonl``; the file is
    either the old or the new one."""
    scores = {
        (name, one.attempt.sample.id): dict(one.scores)
        for name, found in answers.items()
        for one in found
        if "rating" in one.scores
    }
    if not scores:
        return
    with (
        replace_file(path) as partial,
        path.open(encoding="utf-8") as old,
        partial.open("w", encoding="utf-8") as new,
    ):
        for line in old:
            row = json.loads(line)
            row["scores"] = scores.get((row["set"], row["id"]), row["scores"])
            new.write(json.dumps(row) + "\n")
