"""Exact labels for captions of the embedded world: by the scene, not by people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from groundrl.feedback.labels import MOST_SEVERE, SentenceError, SentenceLabel
from groundrl.language.splitting import split_sentences
from groundrl.world.captions.assertion_reading import read_assertions
from groundrl.world.captions.assertions import (
    Assertion,
    ColorAssertion,
    GuessAssertion,
    NumberAssertion,
    ObjectAssertion,
    PlaceAssertion,
    RelationAssertion,
)
from groundrl.world.graph import Scene
from groundrl.world.known import known_scene

ERROR_OF: Final[dict[type[Assertion], SentenceError]] = {
    ObjectAssertion: SentenceError.HALLUCINATION,
    ColorAssertion: SentenceError.ATTRIBUTE,
    NumberAssertion: SentenceError.ATTRIBUTE,
    RelationAssertion: SentenceError.RELATIONSHIP,
    PlaceAssertion: SentenceError.LOCATION,
    GuessAssertion: SentenceError.CONJECTURE,
}
"""The error of a sentence that says something of this kind which is wrong."""
SEVERITY_OF: Final = {
    SentenceError.HALLUCINATION: MOST_SEVERE,
    SentenceError.ATTRIBUTE: 2,
    SentenceError.RELATIONSHIP: 2,
    SentenceError.LOCATION: 2,
    SentenceError.CONJECTURE: 1,
}
"""A sentence is as severe as its worst error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSentence:
    """A sentence with its label, and what the label follows from."""

    label: SentenceLabel
    verdicts: tuple[tuple[SentenceError, bool | None], ...]
    """Of each assertion: which error it would be, and whether it is true (``Assertion``)."""


def make_label(
    span: tuple[int, int], errors: Iterable[SentenceError], creative: bool = False
) -> SentenceLabel:
    """The label with each error once, in the order of their definition, and their severity."""
    found = set(errors)
    ordered = tuple(error for error in SentenceError if error in found)
    return SentenceLabel(
        start=span[0],
        stop=span[1],
        errors=ordered,
        severity=max((SEVERITY_OF[error] for error in ordered), default=0),
        creative=creative and not ordered,
    )


def label_assertions(
    span: tuple[int, int], said: Sequence[Assertion], wrong: Iterable[Assertion]
) -> SentenceLabel:
    """The label of a sentence that says this, some of it wrong: creative where nothing is and it
    tells how two objects stand or where one is."""
    creative = any(isinstance(one, RelationAssertion | PlaceAssertion) for one in said)
    return make_label(span, (ERROR_OF[type(one)] for one in wrong), creative)


def judge_sentences(scene: Scene, text: str) -> tuple[JudgedSentence, ...]:
    """The sentences of any text about a scene (``split_sentences``), each judged.

    ``read_assertions`` tells what is read of a sentence. What the scene does not decide clearly is
    no error, and neither is what could not be read.
    """
    image = known_scene(scene)
    judged = []
    for start, stop in split_sentences(text):
        said = read_assertions(text[start:stop])
        verdicts = [one.verdict(image) for one in said]
        pairs = list(zip(said, verdicts, strict=True))
        judged.append(
            JudgedSentence(
                label=label_assertions(
                    (start, stop),
                    [one for one, verdict in pairs if verdict],
                    [one for one, verdict in pairs if verdict is False],
                ),
                verdicts=tuple((ERROR_OF[type(one)], verdict) for one, verdict in pairs),
            )
        )
    return tuple(judged)


def judge_caption(scene: Scene, text: str) -> tuple[SentenceLabel, ...]:
    """The labels of ``judge_sentences``."""
    return tuple(one.label for one in judge_sentences(scene, text))
