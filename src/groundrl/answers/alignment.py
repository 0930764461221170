"""Does the reasoning entail the answer? What a judge reads and says, and a judge by rule.

The image plays no part: reasoning that is wrong of the image may entail its answer all the same.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise, read_answer
from groundrl.json_rows import Flag, Text
from groundrl.language.negation import negates
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


def make_case(attempt: Attempt, answer: str) -> Case:
    """The case of a completion; ``answer``: its text."""
    reasoning = attempt.parsed.reasoning
    parts = [part.label if isinstance(part, Grounding) else part for part in reasoning]
    return Case(
        question=attempt.sample.question,
        options=attempt.sample.options,
        reasoning="".join(parts).strip(),
        answer=answer,
        pointed=sum(isinstance(part, Grounding) for part in reasoning),
    )


_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_CLAUSE_END = re.compile(r"[.,;:!?\n]|\bbut\b", re.IGNORECASE)
_YES, _NO = ("yes", "true"), ("no", "false")


def judge_by_rule(one: Case) -> Judgement:
    """Made for the short reasoning of the embedded world.

    Aligned: every option that the answer names stands in the reasoning, in whole words and not
    behind a negation of its clause; "yes" and "true" where the reasoning denies nothing, "no" and
    "false" where it denies something; a number where so many objects are pointed at, or one more,
    a landmark. Silence is misaligned, and so is an answer that names no option.
    """
    if not one.reasoning:
        return _misaligned(Misalignment.MISSING_DETAIL, "there is no reasoning")
    chosen = read_answer(one.answer, one.options)
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
            continue
        phrase = _in_words(_words(word))
        if not phrase or not any(phrase in clause.affirmed for clause in clauses):
            if phrase and any(phrase in clause.denied for clause in clauses):
                return _misaligned(Misalignment.CONTRADICTION, f"the reasoning denies {word}")
            return _misaligned(
                Misalignment.MISSING_DETAIL, f"the reasoning does not mention {word}"
            )
    return Judgement(aligned=True, flaw=Misalignment.NONE, reason="the reasoning names the answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clause:
    """Words in lower case, each between blanks, so that a phrase is found as whole words."""

    affirmed: str
    denied: str
    """From the first negation on; empty without one."""

    @classmethod
    def of(cls, text: str) -> "_Clause":
        words = _words(text)
        cut = next((i for i, word in enumerate(words) if negates(word)), len(words))
        return cls(affirmed=_in_words(words[:cut]), denied=_in_words(words[cut:]))


def _words(text: str) -> list[str]:
    return [word.replace("\u2019", "'") for word in _WORD.findall(text.casefold())]


def _in_words(words: list[str]) -> str:
    return f" {' '.join(words)} " if words else ""


def _misaligned(flaw: Misalignment, reason: str) -> Judgement:
    return Judgement(aligned=False, flaw=flaw, reason=reason)
