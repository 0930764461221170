"""Exact captions: each object is named once, and every statement holds in the scene."""

import numpy as np

from groundrl.language.words import article
from groundrl.questions.sentences import capitalized, listing, weave
from groundrl.records import Grounding, Segments
from groundrl.relations import Relation
from groundrl.world.graph import Scene, SceneObject, Subject
from groundrl.world.relations import holds

PLACE = {Subject.TABLETOP: "On the table, ", Subject.STREET: "On the street, "}
STATED = (
    Relation.ON,
    Relation.LEFT_OF,
    Relation.RIGHT_OF,
    Relation.IN_FRONT_OF,
    Relation.BEHIND,
    Relation.NEAR,
)
SECOND_RELATION_SHARE = 0.5


def caption(scene: Scene, rng: np.random.Generator) -> Segments:
    """A short caption with every object grounded once and a relation or two.

    "On the table, a [red cup] is left of a [blue box]. A [green ball] is behind a [gray book]."
    """
    left = [scene.objects[int(i)] for i in rng.permutation(len(scene.objects))]
    parts: list[str | Grounding] = []
    opening = PLACE[scene.spec.subject]
    while len(left) > 1 and (used := _draw_relations(scene, left, rng)):
        things, relations = used
        sentence: list[str | Grounding] = [*_a(things[0]), f" is {relations[0]} ", *_a(things[1])]
        if len(things) == 3:
            sentence += [f" and {relations[1]} ", *_a(things[2])]
        # "On the table, a cup is on a box" would say that the cup is on both.
        starts = opening if Relation.ON not in relations else ""
        opening = "" if starts else opening
        parts += _open_sentence(starts, [*sentence, ". "])
        left = [thing for thing in left if thing not in things]
    if left:
        also = "there is also " if parts else "there is "
        parts += _open_sentence(
            opening, [also, *listing([thing.grounding for thing in left], "a"), ". "]
        )
    *body, last = capitalized(weave(*parts))
    return (*body, str(last).rstrip())


def _open_sentence(opening: str, sentence: list[str | Grounding]) -> list[str | Grounding]:
    """The sentence behind its opening words; without them it begins with a capital letter."""
    if opening:
        return [opening, *sentence]
    first = str(sentence[0])
    return [first[:1].upper() + first[1:], *sentence[1:]]


def _a(thing: SceneObject) -> list[str | Grounding]:
    return [article(thing.label), thing.grounding]


def _draw_relations(
    scene: Scene, left: list[SceneObject], rng: np.random.Generator
) -> tuple[list[SceneObject], list[Relation]] | None:
    """Two objects and a relation between them, or three and two relations of the first."""
    pairs = [
        (a, relation, b)
        for a in left
        for b in left
        for relation in STATED
        if holds(relation, a, b, scene)
    ]
    if not pairs:
        return None
    a, relation, b = pairs[int(rng.integers(len(pairs)))]
    more = [
        (other, c)
        for subject, other, c in pairs
        if subject == a and c != b and other is not relation
    ]
    if more and rng.random() < SECOND_RELATION_SHARE:
        other, c = more[int(rng.integers(len(more)))]
        return [a, b, c], [relation, other]
    return [a, b], [relation]
