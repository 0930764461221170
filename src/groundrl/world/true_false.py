"""Statements that are clearly true or clearly false of a scene, and pairs of questions of which
one is to be answered with yes and one with no.

No borderline case is ever stated: a false relation is ruled out, not merely absent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from groundrl.language.numbers import NUMBERS
from groundrl.language.words import plural, with_article
from groundrl.questions.counts import COUNTS
from groundrl.questions.draws import NumpyDraws
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.references import short_reference
from groundrl.records import Sample
from groundrl.relations import CONVERSE, Relation
from groundrl.world.graph import Scene
from groundrl.world.known import known_scene
from groundrl.world.source import SceneImage, provenance

STATED_RELATIONS: tuple[Relation, ...] = (
    Relation.LEFT_OF,
    Relation.RIGHT_OF,
    Relation.IN_FRONT_OF,
    Relation.BEHIND,
    Relation.ON,
    Relation.NEAR,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationStatement:
    """A statement about how two objects stand."""

    text: str
    """"the cup is left of the lamp"."""
    true: bool
    relation: Relation
    subject: KnownObject
    object: KnownObject


@dataclass(frozen=True, slots=True, kw_only=True)
class YesNoPair:
    """Two questions about the same thing, the first to be answered with yes, the second with no."""

    yes: str
    no: str
    objects: tuple[KnownObject, ...]
    """What the answer to the first points at."""


def draw_statement(
    scene: Scene, relation: Relation, true: bool, rng: np.random.Generator
) -> RelationStatement | None:
    """A statement with this relation, or None when the scene has none of that truth."""
    return _statement(known_scene(scene), relation, true, NumpyDraws(rng))


def _statement(
    image: KnownImage, relation: Relation, true: bool, draws: NumpyDraws
) -> RelationStatement | None:
    named = [(o, name) for o in image.objects if (name := short_reference(o, image)) is not None]
    pairs = [
        (a, first, b, second)
        for a, first in named
        for b, second in named
        if a is not b and image.relation(a, relation, b) is true
    ]
    if not pairs:
        return None
    a, first, b, second = draws.choice(pairs)
    text = f"the {first.text} is {relation} the {second.text}"
    return RelationStatement(text=text, true=true, relation=relation, subject=a, object=b)


def one_word(
    scene: Scene,
    id: str,
    question: str,
    answer: str,
    kind: str,
    objects: Sequence[KnownObject] = (),
) -> Sample:
    """A question without options about a scene, and what it points at."""
    return Sample(
        id=id,
        image=SceneImage(spec=scene.spec),
        question=question,
        answers=(answer,),
        groundings=tuple(one.grounding for one in objects),
        kind=kind,
        provenance=provenance(scene.spec),
    )


def existence(image: KnownImage, draws: NumpyDraws) -> YesNoPair:
    """Something that is there, and something that is not."""
    noun = draws.choice(sorted(image.classes))
    absent = draws.choice(image.absent)
    return YesNoPair(
        yes=f"Is there {with_article(noun)}?",
        no=f"Is there {with_article(absent)}?",
        objects=image.classes[noun],
    )


def count(image: KnownImage, draws: NumpyDraws) -> YesNoPair:
    """The right number of something, and one more or one less."""
    noun = draws.choice(sorted(image.classes))
    objects = image.classes[noun]
    near = (len(objects) - 1, len(objects) + 1)
    wrong = draws.choice([n for n in near if 0 < n < len(COUNTS)])

    def ask(number: int) -> str:
        one = number == 1
        return f"{'Is' if one else 'Are'} there {NUMBERS[number]} {noun if one else plural(noun)}?"

    return YesNoPair(yes=ask(len(objects)), no=ask(wrong), objects=objects)


def position(image: KnownImage, draws: NumpyDraws) -> YesNoPair | None:
    """A relation that holds, and its converse between the same two objects."""
    found = [
        one
        for relation in STATED_RELATIONS[:4]
        if (one := _statement(image, relation, true=True, draws=draws)) is not None
    ]
    if not found:
        return None
    one = draws.choice(found)
    a, b = (short_reference(o, image) for o in (one.subject, one.object))
    assert a is not None
    assert b is not None
    return YesNoPair(
        yes=f"Is the {a.text} {one.relation} the {b.text}?",
        no=f"Is the {a.text} {CONVERSE[one.relation]} the {b.text}?",
        objects=(one.subject, one.object),
    )


def color(image: KnownImage, draws: NumpyDraws) -> YesNoPair | None:
    """The colour of something, and another one, seen elsewhere in the scene where possible."""
    if not image.alone_in_class:
        return None
    one = draws.choice(image.alone_in_class)
    seen = sorted({str(other.color) for other in image.objects} - {one.color})
    rest = [other for other in image.possible_colors if other != one.color]
    wrong = draws.choice(seen or rest)
    return YesNoPair(
        yes=f"Is the {one.noun} {one.color}?",
        no=f"Is the {one.noun} {wrong}?",
        objects=(one,),
    )


_PAIRS: dict[str, Callable[[KnownImage, NumpyDraws], YesNoPair | None]] = {
    "existence": existence,
    "count": count,
    "position": position,
    "color": color,
}
PAIR_TASKS = tuple(_PAIRS)
"""Tasks of MME that the world can ask, by MME's names."""


def draw_pair(scene: Scene, task: str, rng: np.random.Generator) -> YesNoPair | None:
    """A pair of one of ``PAIR_TASKS``, or None where the scene has none."""
    return _PAIRS[task](known_scene(scene), NumpyDraws(rng))
