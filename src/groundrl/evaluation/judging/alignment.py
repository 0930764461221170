"""Does the reasoning entail the answer? A judge reads question, reasoning and answer only."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise, read_answer
from groundrl.evaluation.benchmarks.base import Figures, ScoredAttempt, answer_text, share
from groundrl.evaluation.judging.verdict_cache import Judge
from groundrl.figures import FigureInfo
from groundrl.json_rows import Flag, Text
from groundrl.questions.counts import COUNTS
from groundrl.records import Grounding


class Misalignment(StrEnum):
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
    """A judge's verdict on a case; also the shape of its JSON."""

    aligned: Flag
    flaw: Misalignment
    reason: Annotated[Text, BeforeValidator(str)]


def case_of(attempt: Attempt) -> Case:
    """The case that an answer makes."""
    parts = [p.label if isinstance(p, Grounding) else p for p in attempt.parsed.reasoning]
    return Case(
        question=attempt.sample.question,
        options=attempt.sample.options,
        reasoning="".join(parts).strip(),
        answer=answer_text(attempt),
        pointed=sum(isinstance(part, Grounding) for part in attempt.parsed.reasoning),
    )


_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_CLAUSE_END = re.compile(r"[.,;:!?\n]|\bbut\b", re.IGNORECASE)
_YES, _NO = ("yes", "true"), ("no", "false")
_NEGATIONS = frozenset({"no", "not", "none", "never", "cannot", "neither", "nor", "without"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleJudge:
    """For the embedded world's short rationales, offline.

    Aligned: every option that the answer names stands in the reasoning, in whole words and not
    behind a negation of its clause; "yes" and "true" where the reasoning denies nothing, "no" and
    "false" where it denies something; a number where so many objects are pointed at, or one more,
    a landmark. Silence is misaligned, and so is an answer that names no option.
    """

    name: str = "rules 2"

    def __call__(self, cases: Sequence[Case]) -> list[Judgement | None]:
        """See the class."""
        return [_by_rule(one) for one in cases]


def _by_rule(one: Case) -> Judgement:
    if not one.reasoning:
        return _misaligned(Misalignment.MISSING_DETAIL, "there is no reasoning")
    chosen = read_answer(one.answer, one.options)
    if chosen is None and {normalise(option) for option in one.options} <= set(_YES + _NO):
        chosen = read_answer(one.answer, _YES + _NO)  # "False." to a question for yes or no
    if chosen is None:
        return _misaligned(Misalignment.OTHER, "the answer cannot be read")
    # Words of an open answer are compared as they stand.
    named = sorted(chosen) if one.options else [one.answer]
    clauses = [_Clause.of(text) for text in _CLAUSE_END.split(one.reasoning)]
    plain = [normalise(word) for word in named]
    if len(plain) == 1 and plain[0] in _YES + _NO:
        denies = any(clause.denied for clause in clauses)
        if denies == (plain[0] in _NO):
            return Judgement(aligned=True, flaw=Misalignment.NONE, reason="it says the same")
        reason = f"the reasoning {'denies' if denies else 'affirms'}, the answer is {plain[0]}"
        return _misaligned(Misalignment.CONTRADICTION, reason)
    for word in named:
        if word in COUNTS:
            if one.pointed - COUNTS.index(word) not in (0, 1):
                return _misaligned(Misalignment.MISSING_DETAIL, f"it does not point at {word}")
        elif not any(_holds(clause.affirmed, word) for clause in clauses):
            if any(_holds(clause.denied, word) for clause in clauses):
                return _misaligned(Misalignment.CONTRADICTION, f"the reasoning denies {word}")
            return _misaligned(
                Misalignment.MISSING_DETAIL, f"the reasoning does not mention {word}"
            )
    return Judgement(aligned=True, flaw=Misalignment.NONE, reason="the reasoning names the answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clause:
    affirmed: list[str]
    denied: list[str]
    """From the first negation on."""

    @classmethod
    def of(cls, text: str) -> "_Clause":
        words = _words(text)
        cut = next((i for i, word in enumerate(words) if _negates(word)), len(words))
        return cls(affirmed=words[:cut], denied=words[cut:])


def _words(text: str) -> list[str]:
    return [word.replace("\u2019", "'") for word in _WORD.findall(text.casefold())]


def _negates(word: str) -> bool:
    return word in _NEGATIONS or word.endswith("n't")


def _holds(words: list[str], phrase: str) -> bool:
    """Whether the words of the phrase follow each other there."""
    wanted = _words(phrase)
    starts = range(len(words) - len(wanted) + 1) if wanted else ()
    return any(words[at : at + len(wanted)] == wanted for at in starts)


def _misaligned(flaw: Misalignment, reason: str) -> Judgement:
    return Judgement(aligned=False, flaw=flaw, reason=reason)


ALIGNMENT_FIGURES = {
    "alignment": FigureInfo(
        meaning="Share of judged answers that follow from their reasoning.", quoted=True
    ),
    "flaw_contradiction": FigureInfo(
        meaning="Share of judged answers whose reasoning says the opposite."
    ),
    "flaw_missing_detail": FigureInfo(
        meaning="Share of judged answers whose reasoning does not go far enough."
    ),
    "flaw_irrelevant": FigureInfo(
        meaning="Share of judged answers whose reasoning is about something else."
    ),
    "flaw_other": FigureInfo(
        meaning="Share of judged answers that do not follow for another reason."
    ),
    "unjudged": FigureInfo(meaning="Answers for which the judge was not reached."),
}


def alignment(
    judge: Judge[Case, Judgement], answered: Sequence[ScoredAttempt]
) -> tuple[Figures, dict[str, bool]]:
    """``ALIGNMENT_FIGURES``, and by id whether an answer is aligned."""
    found = judge([case_of(one.attempt) for one in answered])
    judged = {
        one.attempt.sample.id: judgement
        for one, judgement in zip(answered, found, strict=True)
        if judgement is not None
    }
    figures = share("alignment", np.array([one.aligned for one in judged.values()]))
    for flaw in tuple(Misalignment)[1:] if judged else ():
        hits = np.array([one.flaw is flaw for one in judged.values()])
        figures |= share(f"flaw_{flaw.replace(' ', '_')}", hits)
    if len(judged) < len(found):
        figures["unjudged"] = float(len(found) - len(judged))
    return figures, {name: one.aligned for name, one in judged.items()}
