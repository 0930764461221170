"""Statements that are clearly true or clearly false of a scene, and pairs of questions of which
one is to be answered with yes and one with no.

No borderline case is ever stated: a false relation is ruled out, not merely absent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from groundrl.records import Grounding, Sample
from groundrl.relations import CONVERSE, Relation
from groundrl.world.drafts import pick
from groundrl.world.graph import Scene, SceneObject
from groundrl.world.phrases import (
    NUMBERS,
    label,
    plural,
    reference,
    with_article,
    with_unique_category,
)
from groundrl.world.relations import holds, is_ruled_out
from groundrl.world.source import SceneImage, provenance
from groundrl.world.vocabulary import CATEGORIES, COLORS

CLAIMED: tuple[Relation, ...] = (
    Relation.LEFT_OF,
    Relation.RIGHT_OF,
    Relation.IN_FRONT_OF,
    Relation.BEHIND,
    Relation.ON,
    Relation.NEAR,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A statement about two objects."""

    text: str
    """"the cup is left of the lamp"."""
    true: bool
    relation: Relation
    subject: SceneObject
    object: SceneObject


@dataclass(frozen=True, slots=True, kw_only=True)
class YesNoPair:
    """Two questions about the same thing, the first to be answered with yes, the second with no."""

    yes: str
    no: str
    things: tuple[SceneObject, ...]
    """What the answer to the first points at."""


def claim(scene: Scene, relation: Relation, true: bool, rng: np.random.Generator) -> Claim | None:
    """A statement with this relation, or None when the scene has none of that truth."""
    test = holds if true else is_ruled_out
    pairs = [
        (a, name_a, b, name_b)
        for a in scene.objects
        for b in scene.objects
        if a != b
        and (name_a := reference(scene, a)) is not None
        and (name_b := reference(scene, b)) is not None
        and test(relation, a, b, scene)
    ]
    if not pairs:
        return None
    a, name_a, b, name_b = pick(pairs, rng)
    text = f"the {name_a} is {relation} the {name_b}"
    return Claim(text=text, true=true, relation=relation, subject=a, object=b)


def one_word(
    scene: Scene,
    name: str,
    question: str,
    answer: str,
    kind: str,
    things: Sequence[SceneObject] = (),
) -> Sample:
    """A question without options about a scene, and what it points at."""
    return Sample(
        id=name,
        image=SceneImage(spec=scene.spec),
        question=question,
        answers=(answer,),
        groundings=tuple(Grounding(label=label(thing), box=thing.box) for thing in things),
        kind=kind,
        provenance=provenance(scene.spec),
    )


def existence(scene: Scene, rng: np.random.Generator) -> YesNoPair:
    """Something that is there, and something that is not."""
    here = sorted({thing.category for thing in scene.objects})
    noun = pick(here, rng)
    absent = pick([n for n in CATEGORIES[scene.spec.subject] if n not in here], rng)
    return YesNoPair(
        yes=f"Is there {with_article(noun)}?",
        no=f"Is there {with_article(absent)}?",
        things=tuple(thing for thing in scene.objects if thing.category == noun),
    )


def count(scene: Scene, rng: np.random.Generator) -> YesNoPair:
    """The right number of something, and one more or one less."""
    noun = pick(sorted({thing.category for thing in scene.objects}), rng)
    things = tuple(thing for thing in scene.objects if thing.category == noun)
    wrong = pick([n for n in (len(things) - 1, len(things) + 1) if 0 < n < len(NUMBERS)], rng)

    def ask(number: int) -> str:
        one = number == 1
        return f"{'Is' if one else 'Are'} there {NUMBERS[number]} {noun if one else plural(noun)}?"

    return YesNoPair(yes=ask(len(things)), no=ask(wrong), things=things)


def position(scene: Scene, rng: np.random.Generator) -> YesNoPair | None:
    """A relation that holds, and its converse between the same two objects."""
    found = [
        one
        for relation in CLAIMED[:4]
        if (one := claim(scene, relation, true=True, rng=rng)) is not None
    ]
    if not found:
        return None
    one = pick(found, rng)
    a, b = reference(scene, one.subject), reference(scene, one.object)
    return YesNoPair(
        yes=f"Is the {a} {one.relation} the {b}?",
        no=f"Is the {a} {CONVERSE[one.relation]} the {b}?",
        things=(one.subject, one.object),
    )


def color(scene: Scene, rng: np.random.Generator) -> YesNoPair | None:
    """The colour of something, and another one, seen elsewhere in the scene where possible."""
    things = with_unique_category(scene)
    if not things:
        return None
    thing = pick(things, rng)
    seen = sorted({other.color for other in scene.objects} - {thing.color})
    wrong = pick(seen or [shade for shade in COLORS if shade != thing.color], rng)
    return YesNoPair(
        yes=f"Is the {thing.category} {thing.color}?",
        no=f"Is the {thing.category} {wrong}?",
        things=(thing,),
    )


PAIRS: dict[str, Callable[[Scene, np.random.Generator], YesNoPair | None]] = {
    "existence": existence,
    "count": count,
    "position": position,
    "color": color,
}
"""Tasks of MME that the world can ask, by MME's names."""
