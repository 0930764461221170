"""Does the reasoning entail the answer? A judge reads question, reasoning and answer only."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Answered, Figures, said, share
from groundrl.evaluation.benchmarks.files import json_lines
from groundrl.evaluation.statistics import cohen_kappa
from groundrl.grammar.answers import normalise, read_answer
from groundrl.records import Grounding
from groundrl.rewards.base import Attempt
from groundrl.scenes.phrases import NUMBERS


class Flaw(StrEnum):
    """Why an answer does not follow ("Visual Reasoning", study 1)."""

    NONE = "none"
    CONTRADICTION = "contradiction"
    MISSING_DETAIL = "missing detail"
    IRRELEVANT = "irrelevant"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a judge reads."""

    question: str
    options: tuple[str, ...]
    reasoning: str
    """Boxes written as their labels."""
    answer: str
    pointed: int = 0
    """Boxes in the reasoning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a judge says."""

    aligned: bool
    flaw: Flaw
    reason: str


@runtime_checkable
class Judge(Protocol):
    """Judges cases."""

    @property
    def name(self) -> str:
        """What its judgements depend on: they are only used again under the same name."""
        ...

    def __call__(self, cases: Sequence[Case]) -> list[Judgement | None]:
        """A judgement of each case; None where the judge could not be reached."""
        ...


def case(attempt: Attempt) -> Case:
    """The case that an answer makes."""
    parts = [p.label if isinstance(p, Grounding) else p for p in attempt.parsed.reasoning]
    return Case(
        question=attempt.sample.question,
        options=attempt.sample.options,
        reasoning="".join(parts).strip(),
        answer=said(attempt),
        pointed=sum(isinstance(part, Grounding) for part in attempt.parsed.reasoning),
    )


_NO = re.compile(r"\b(?:no|not|none|never|cannot)\b|n't\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleJudge:
    """For the embedded world's short rationales, offline.

    Aligned: every option that the answer names stands in the reasoning; "yes" and "true" where the
    reasoning denies nothing, "no" and "false" where it denies something; a number where so many
    objects are pointed at, or one more, a landmark. Silence is misaligned.
    """

    name: str = "rules"

    def __call__(self, cases: Sequence[Case]) -> list[Judgement | None]:
        """See the class."""
        return [_by_rule(one) for one in cases]


def _by_rule(one: Case) -> Judgement:
    if not one.reasoning:
        return Judgement(aligned=False, flaw=Flaw.MISSING_DETAIL, reason="there is no reasoning")
    plain = normalise(one.answer)
    if plain in ("yes", "true", "no", "false"):
        denies = _NO.search(one.reasoning) is not None
        if denies == (plain in ("no", "false")):
            return Judgement(aligned=True, flaw=Flaw.NONE, reason="it says the same")
        reason = f"the reasoning {'denies' if denies else 'affirms'}, the answer is {plain}"
        return Judgement(aligned=False, flaw=Flaw.CONTRADICTION, reason=reason)
    named = read_answer(one.answer, one.options) or frozenset({one.answer})
    text = normalise(one.reasoning)
    absent = sorted(word for word in named if not _borne_out(word, text, one.pointed))
    if absent:
        reason = f"the reasoning does not mention {', '.join(absent)}"
        return Judgement(aligned=False, flaw=Flaw.MISSING_DETAIL, reason=reason)
    return Judgement(aligned=True, flaw=Flaw.NONE, reason="the reasoning names the answer")


def _borne_out(word: str, text: str, pointed: int) -> bool:
    if word in NUMBERS:
        return pointed - NUMBERS.index(word) in (0, 1)
    return normalise(word) in text


def read_judgement(row: Mapping[str, Any]) -> Judgement:
    """From JSON. Raises KeyError or ValueError for another shape."""
    if not isinstance(row["aligned"], bool):
        raise ValueError(f"aligned must be true or false, got {row['aligned']!r}")
    return Judgement(aligned=row["aligned"], flaw=Flaw(row["flaw"]), reason=str(row["reason"]))


def alignment(judge: Judge, answered: Sequence[Answered]) -> tuple[Figures, dict[str, bool]]:
    """``alignment``: share of judged answers that follow from their reasoning; ``flaw_<kind>``:
    shares; ``unjudged``: answers that the judge was not reached for. And the verdicts by id."""
    found = judge([case(one.attempt) for one in answered])
    judged = {
        one.attempt.sample.id: judgement
        for one, judgement in zip(answered, found, strict=True)
        if judgement is not None
    }
    figures = share("alignment", np.array([one.aligned for one in judged.values()]))
    for flaw in tuple(Flaw)[1:] if judged else ():
        hits = np.array([one.flaw is flaw for one in judged.values()])
        figures |= share(f"flaw_{flaw.replace(' ', '_')}", hits)
    if len(judged) < len(found):
        figures["unjudged"] = float(len(found) - len(judged))
    return figures, {name: one.aligned for name, one in judged.items()}


def agreement(judged: Mapping[str, bool], people: Mapping[str, bool]) -> Figures:
    """How a judge compares with people on the answers that both judged, by id: ``kappa``,
    ``agreement``, and the shares that each calls aligned; ``labels_n`` alone without any."""
    ids = sorted(judged.keys() & people.keys())
    if not ids:
        return {"labels_n": 0.0}
    a, b = [judged[key] for key in ids], [people[key] for key in ids]
    return {
        "kappa": cohen_kappa(a, b),
        **share("agreement", np.array([x == y for x, y in zip(a, b, strict=True)])),
        **share("judge_aligned", np.array(a)),
        **share("people_aligned", np.array(b)),
        "labels_n": float(len(ids)),
    }


def read_labels(path: Path) -> dict[str, bool]:
    """Lines of ``{"id": ..., "aligned": true or false}``. Raises UserError."""
    if not path.is_file():
        raise UserError(f"labels={path}: no such file")
    labels: dict[str, bool] = {}
    for where, row in json_lines(path, path.read_bytes()):
        if not isinstance(row, dict) or "id" not in row or not isinstance(row.get("aligned"), bool):
            raise UserError(f'{where}: expected {{"id": ..., "aligned": true or false}}')
        if str(row["id"]) in labels:
            raise UserError(f"{where}: a second label of {row['id']!r}")
        labels[str(row["id"])] = row["aligned"]
    return labels
