"""A question before it has its image, and the sample that is made of it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from groundrl.errors import UserError
from groundrl.questions.draws import Draws
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.sentences import Order, Rationale
from groundrl.records import Grounding, ImageSource, Provenance, Sample, Segments


@runtime_checkable
class Claim(Protocol):
    """What the answer to a question states; its words are the question."""

    @property
    def question(self) -> str: ...

    def is_proven(self, sample: Sample, pointed: Sequence[KnownObject], image: KnownImage) -> bool:
        """Whether the answers of ``sample`` are right, and its reasoning points at what shows it:
        at the objects ``pointed``, in the order of the reasoning."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question with its reasoning; the objects that the reasoning points at are the sample's
    groundings."""

    claim: Claim
    rationale: Rationale
    options: tuple[str, ...] = ()
    """In the order shown."""
    answers: tuple[str, ...] = ()
    """The right ones of ``options``."""
    any_object: bool = False
    """Whether the reasoning points at an object that others could stand for: what a "no" compares
    with. It is no grounding of the sample, because pointing at another one is as good."""


Asker = Callable[[KnownImage, Draws], Draft | None]
"""A kind of question: None where an image leaves no such question with exactly one reading."""


def choice(
    claim: Claim, rationale: Rationale, right: Sequence[str], wrong: Sequence[str], draws: Draws
) -> Draft:
    """A question whose options stand in random order."""
    options = tuple(draws.sample([*right, *wrong], k=len(right) + len(wrong)))
    answers = tuple(option for option in options if option in right)
    return Draft(claim=claim, rationale=rationale, options=options, answers=answers)


def make_sample(
    draft: Draft,
    *,
    id: str,
    image: ImageSource,
    kind: str,
    provenance: Provenance,
    order: Order = "look_first",
) -> Sample:
    """The draft with its image, its reasoning in this order."""
    rationale = draft.rationale.ordered(order)
    return Sample(
        id=id,
        image=image,
        question=draft.claim.question,
        options=draft.options,
        answers=draft.answers,
        groundings=() if draft.any_object else pointed_at(rationale),
        rationale=rationale,
        kind=kind,
        provenance=provenance,
    )


def pointed_at(rationale: Segments) -> tuple[Grounding, ...]:
    """The phrases of a rationale, in its order."""
    return tuple(part for part in rationale if isinstance(part, Grounding))


def check_kinds(kinds: Sequence[str], known: Collection[str], option: str = "") -> None:
    """Raises UserError for an unknown kind of question and for none; the message begins with
    ``option``."""
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or not kinds:
        what = f"unknown kind of question: {', '.join(unknown)}" if unknown else "no kind given"
        raise UserError(f"{option}{what}; choose from {', '.join(known)}")
