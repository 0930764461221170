"""Questions about a merged image: those that boxes answer, and those that captions add."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from groundrl.data.box_questions import ASKERS, Draft, placed
from groundrl.data.box_views import View, view
from groundrl.data.claims import Colored, Described, Further, Where
from groundrl.data.detection import AnnotatedImage
from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.language.colors import COLOR_WORDS
from groundrl.language.words import verb_be
from groundrl.records import Grounding, Provenance, Sample
from groundrl.relations import CONVERSE, Relation
from groundrl.synthesis.merge import Merged, Thing
from groundrl.synthesis.reading import split_label

MAX_OPTIONS: Final = 4


def describe(merged: Merged, rng: random.Random) -> Draft | None:
    """The merged caption, where it points at something."""
    if not any(isinstance(part, Grounding) for part in merged.caption):
        return None
    question = rng.choice(("Describe the picture.", "What is in the picture?"))
    return Draft(claim=Described(question=question), rationale=merged.caption)


def color(merged: Merged, rng: random.Random) -> Draft | None:
    """What color is the cup? Of the only one of its class."""
    things = [thing for thing in _unique(merged) if thing.color is not None]
    if not things:
        return None
    thing = rng.choice(things)
    right = thing.color
    assert right is not None
    # Colours seen elsewhere first: guessing from presence fails.
    seen = sorted({t.color for t in merged.things if t.color is not None} - {right})
    rest = sorted({*COLOR_WORDS.values()} - {right, *seen})
    wrong = (rng.sample(seen, len(seen)) + rng.sample(rest, len(rest)))[: MAX_OPTIONS - 1]
    return Draft(
        claim=Colored(noun=thing.noun),
        rationale=("The ", _as_noun(thing), f" {verb_be(thing.noun)} {right}."),
        options=tuple(rng.sample([right, *wrong], MAX_OPTIONS)),
        answers=(right,),
    )


def refer(merged: Merged, rng: random.Random) -> Draft | None:
    """Where is the red cup? Among several cups, one of them red."""
    labels = [thing.label for thing in merged.things]
    nouns = [thing.noun for thing in merged.things]
    things = [
        thing
        for thing in merged.things
        if thing.color is not None
        and thing.noun not in merged.uncertain
        and labels.count(thing.label) == 1
        and nouns.count(thing.noun) > 1
        # One whose colour nobody said may be red, too.
        and thing.noun not in labels
    ]
    if not things:
        return None
    thing = rng.choice(things)
    assert thing.color is not None
    return Draft(
        claim=Where(noun=thing.noun, which=thing.color),
        rationale=("Here is the ", thing.grounding, "."),
    )


def depth(merged: Merged, rng: random.Random) -> Draft | None:
    """Which is further away? Only what a kept caption says, of two things of unique classes."""
    unique = _unique(merged)
    pairs: list[tuple[Thing, Relation, Thing]] = []
    for i, relation, j in merged.relations:
        a, b = merged.things[i], merged.things[j]
        if relation in (Relation.BEHIND, Relation.IN_FRONT_OF) and a in unique and b in unique:
            pairs.append((a, relation, b))
    said = {(a.noun, relation, b.noun) for a, relation, b in pairs}
    # Captions may contradict each other: "a is behind b", and elsewhere "b is behind a".
    pairs = [
        (a, r, b)
        for a, r, b in pairs
        if not said & {(b.noun, r, a.noun), (a.noun, CONVERSE[r], b.noun)}
    ]
    if not pairs:
        return None
    a, relation, b = rng.choice(pairs)
    first, second = rng.sample((a.noun, b.noun), 2)
    return Draft(
        claim=Further(relation=relation, nouns=(first, second)),
        rationale=placed([_as_noun(a)], relation, _as_noun(b)),
        options=(first, second),
        answers=(a.noun,),
    )


def _unique(merged: Merged) -> list[Thing]:
    """The only ones of their class."""
    nouns = [thing.noun for thing in merged.things]
    return [
        thing
        for thing in merged.things
        if nouns.count(thing.noun) == 1 and thing.noun not in merged.uncertain
    ]


def _as_noun(thing: Thing) -> Grounding:
    return Grounding(label=thing.noun, box=thing.region.box)


OF_CAPTIONS: Final[dict[str, Callable[[Merged, random.Random], Draft | None]]] = {
    "describe": describe,
    "color": color,
    "refer": refer,
    "depth": depth,
}
KINDS: Final = (*ASKERS, *OF_CAPTIONS)
"""All kinds of question."""


def check_kinds(kinds: Sequence[str]) -> None:
    """Raises UserError for unknown ones, for one that stands there twice, and for none."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds or len({*kinds}) < len(kinds):
        what = "no kind given" if not kinds else "a kind is given twice"
        what = f"unknown kind of question: {', '.join(unknown)}" if unknown else what
        raise UserError(f"questions.kinds: {what}; choose from {', '.join(KINDS)}")


def boxes_of(merged: Merged, image: InputImage, vocabulary: Sequence[str]) -> View:
    """What boxes tell: which classes, how many, where. Absent is what a detector looked for and
    nobody found."""
    items = tuple(_as_noun(thing) for thing in merged.things)
    annotated = AnnotatedImage(
        id=image.id, image=image.source, groundings=items, uncounted=merged.uncertain
    )
    return view(annotated, tuple(dict.fromkeys(split_label(name)[1] for name in vocabulary)))


def draft(kind: str, merged: Merged, boxes: View, rng: random.Random) -> Draft | None:
    """A question of one kind; None where the image leaves none with a single reading."""
    if kind in OF_CAPTIONS:
        return OF_CAPTIONS[kind](merged, rng)
    return ASKERS[kind](boxes, rng)


def sample_of(one: Draft, kind: str, image: InputImage, provenance: Provenance) -> Sample:
    """The draft with its image."""
    return Sample(
        id=f"{image.id}:{kind}",
        image=image.source,
        question=one.question,
        options=one.options,
        answers=one.answers,
        groundings=tuple(part for part in one.rationale if isinstance(part, Grounding)),
        rationale=one.rationale,
        kind=kind,
        provenance=provenance,
    )
