"""Does the reasoning entail the answer? What a judge reads and says.

The image plays no part: reasoning that is wrong of the image may entail its answer all the same.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator

from groundrl.answers.attempt import Attempt
from groundrl.json_rows import Flag, Text
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

    @property
    def is_whole(self) -> bool:
        """Whether there is reasoning, and an answer that may follow from it."""
        return bool(self.reasoning and self.answer)


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
