"""Questions that the boxes of an image answer beyond doubt, each with a boxed rationale.

Only boxes are known, so nothing is asked that more than one reading could answer: a class with a
tiny box or a crowd is not counted, "the dog" is said only where there is one, "leftmost" only
where the lead is clear.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from groundrl.data.box_views import MAX_BOXES, View, extremes, is_beside, view
from groundrl.data.claims import Beside, Claim, Count, Exists, Further, Present, Where
from groundrl.data.detection import AnnotatedImage, DetectionSet
from groundrl.errors import UserError
from groundrl.language.words import plural, verb_be, with_article
from groundrl.records import Grounding, Provenance, Sample, Segments
from groundrl.relations import CONVERSE, Relation

SIDES: Final = (Relation.LEFT_OF, Relation.RIGHT_OF, Relation.ABOVE, Relation.BELOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question before it knows its image. Its groundings are those of the rationale."""

    claim: Claim
    rationale: Segments
    options: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """What the claim answers."""
        return self.claim.question


def listing(items: Sequence[Grounding], before: str, after: str) -> Segments:
    """ "before A, B and C after", with A, B and C pointed at."""
    segments: list[str | Grounding] = [before]
    for index, item in enumerate(items):
        if index:
            segments.append(" and " if index == len(items) - 1 else ", ")
        segments.append(item)
    return (*segments, after)


def placed(items: Sequence[Grounding], relation: Relation, anchor: Grounding) -> Segments:
    """ "The A is left of the C.", "Of these, A and B are left of the C." """
    verb = "are" if len(items) > 1 else verb_be(items[0].label)
    before = "The " if len(items) == 1 else "Of these, "
    return (*listing(items, before, f" {verb} {relation} the "), anchor, ".")


def exists(view: View, rng: random.Random) -> Draft | None:
    """Is there a dog? Yes as often as no, where both can be asked."""
    yes = rng.random() < 0.5
    pool = sorted(view.whole) if (yes and view.whole) or not view.absent else view.absent
    if not pool:
        return None
    label = rng.choice(pool)
    if label in view.whole:
        rationale = listing(view.whole[label], "I see ", ".")
    else:
        rationale = (f"I look for {with_article(label)} and find none.",)
    answer = "yes" if label in view.whole else "no"
    return Draft(
        claim=Exists(noun=label), rationale=rationale, options=("yes", "no"), answers=(answer,)
    )


def count(view: View, rng: random.Random) -> Draft | None:
    """How many dogs? Four neighbouring numbers to choose from."""
    if not view.whole:
        return None
    # By number first: else nearly every answer would be one.
    number = rng.choice(sorted({len(items) for items in view.whole.values()}))
    label = rng.choice(sorted(name for name, items in view.whole.items() if len(items) == number))
    first = rng.randint(max(0, number - 3), number)
    there = "There are " if number > 1 or verb_be(label) == "are" else "There is "
    return Draft(
        claim=Count(noun=label),
        rationale=listing(view.whole[label], there, f": that makes {number}."),
        options=tuple(str(first + offset) for offset in range(4)),
        answers=(str(number),),
    )


def relation(view: View, rng: random.Random) -> Draft | None:
    """Which of two is further left, right, higher or lower?"""
    pairs = [
        (side, a, b)
        for side in SIDES
        for a in view.unique
        for b in view.unique
        if is_beside(side, a.box, b.box, view.width, view.height)
    ]
    if not pairs:
        return None
    side, a, b = rng.choice(pairs)
    first, second = rng.sample((a.label, b.label), 2)
    return Draft(
        claim=Further(relation=side, nouns=(first, second)),
        rationale=placed([a], side, b),
        options=(first, second),
        answers=(a.label,),
    )


def locate(view: View, rng: random.Random) -> Draft | None:
    """Where is the dog, the leftmost dog, the largest dog?"""
    drafts = [
        Draft(
            claim=Where(noun=item.label),
            rationale=("The only ", item, f" {verb_be(item.label)} here."),
        )
        for item in view.unique
    ]
    for label, items in view.everything.items():
        for word, item in extremes(items, view).items():
            drafts.append(
                Draft(
                    claim=Where(noun=label, which=word),
                    rationale=(
                        f"Of the {len(items)} {plural(label)}, the {word} is this ",
                        item,
                        ".",
                    ),
                )
            )
    return rng.choice(drafts) if drafts else None


def multi(view: View, rng: random.Random) -> Draft | None:
    """Several answers: which of these are in the image, or on one side of an object?"""
    askers = [_multi_present, _multi_side]
    rng.shuffle(askers)
    return askers[0](view, rng) or askers[1](view, rng)


def _multi_present(view: View, rng: random.Random) -> Draft | None:
    """Four classes, one to three of them there."""
    labels = rng.sample(sorted(view.whole), k=len(view.whole))
    right: list[str] = []
    for label in labels[: rng.randint(1, 3)]:
        if sum(len(view.whole[other]) for other in (*right, label)) <= MAX_BOXES:
            right.append(label)
    wrong = rng.sample(view.absent, k=min(len(view.absent), 4 - len(right)))
    if not right or not wrong:
        return None
    items = [item for label in right for item in view.whole[label]]
    missing = " and no ".join(wrong)
    return _several(
        Present(),
        right,
        wrong,
        listing(items, "I see ", f", but no {missing}."),
        rng,
    )


def _multi_side(view: View, rng: random.Random) -> Draft | None:
    """Two to four unique objects, each clearly on that side of an anchor or on the opposite."""
    size = view.width, view.height
    choices = []
    for anchor in view.unique:
        for side in SIDES:
            others = [(item, item.box) for item in view.unique]
            right = [i for i, box in others if is_beside(side, box, anchor.box, *size)]
            wrong = [i for i, box in others if is_beside(CONVERSE[side], box, anchor.box, *size)]
            if right and wrong:
                choices.append((anchor, side, right, wrong))
    if not choices:
        return None
    anchor, side, right, wrong = rng.choice(choices)
    right = rng.sample(right, k=min(len(right), rng.randint(1, 3)))
    wrong = rng.sample(wrong, k=min(len(wrong), 4 - len(right)))
    return _several(
        Beside(relation=side, anchor=anchor.label),
        [item.label for item in right],
        [item.label for item in wrong],
        placed(right, side, anchor),
        rng,
    )


def _several(
    claim: Claim, right: list[str], wrong: list[str], rationale: Segments, rng: random.Random
) -> Draft:
    options = tuple(rng.sample(right + wrong, k=len(right) + len(wrong)))
    answers = tuple(option for option in options if option in right)
    return Draft(claim=claim, rationale=rationale, options=options, answers=answers)


ASKERS: Final[dict[str, Callable[[View, random.Random], Draft | None]]] = {
    "exists": exists,
    "count": count,
    "relation": relation,
    "locate": locate,
    "multi": multi,
}
KINDS: Final = tuple(ASKERS)
"""All kinds of question that boxes can answer."""


def ask(image: AnnotatedImage, kind: str, detections: DetectionSet, seed: int) -> Sample | None:
    """The question of one kind about one image, a function of (seed, image id, kind); None where
    the boxes leave none without a second reading."""
    # Text seeds are digested by random.Random itself, equal in every process.
    rng = random.Random(f"{seed}/{image.id}/{kind}")
    draft = ASKERS[kind](view(image, detections.names), rng)
    if draft is None:
        return None
    return Sample(
        id=f"{image.id}:{kind}",
        image=image.image,
        question=draft.question,
        options=draft.options,
        answers=draft.answers,
        groundings=tuple(part for part in draft.rationale if isinstance(part, Grounding)),
        rationale=draft.rationale,
        kind=kind,
        provenance=Provenance(dataset=detections.name, split=detections.split),
    )


def ask_all(detections: DetectionSet, *, seed: int, kinds: Sequence[str] = KINDS) -> list[Sample]:
    """At most one question of each kind about each image. Raises UserError: unknown kind, none
    found."""
    unknown = [kind for kind in kinds if kind not in ASKERS]
    if unknown or not kinds:
        what = f"unknown kind of question: {', '.join(unknown)}" if unknown else "no kind given"
        raise UserError(f"{what}; choose from {', '.join(KINDS)}")
    drawn = [ask(image, kind, detections, seed) for image in detections.images for kind in kinds]
    samples = [sample for sample in drawn if sample is not None]
    if not samples:
        raise UserError(
            f"{detections.name}, split {detections.split}: the boxes answer no question of kind "
            f"{', '.join(kinds)}; add a kind from {', '.join(KINDS)}"
        )
    return samples
