"""Questions about where the objects are: sides, depths, and how many stand where.

Each function returns None when the scene holds no such question with exactly one reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groundrl.records import Segments
from groundrl.relations import Relation
from groundrl.world.drafts import MAX_BOXES, MAX_OPTIONS, Draft, pick, sentence, several, some
from groundrl.world.graph import Scene, SceneObject
from groundrl.world.phrases import (
    NUMBERS,
    REFERRING_RELATIONS,
    label,
    listing,
    plural,
    reference,
    weave,
    with_unique_label,
)
from groundrl.world.relations import holds, is_ruled_out


def _either(
    scene: Scene, rng: np.random.Generator, words: dict[str, Relation], ask: str
) -> Draft | None:
    """One of two converse relations between two objects; the right word is drawn first."""
    answer = pick(tuple(words), rng)
    relation = words[answer]
    pairs = [
        (a, name_a, b, name_b)
        for a in scene.objects
        for b in scene.objects
        if (name_a := reference(scene, a)) is not None
        and (name_b := reference(scene, b)) is not None
        and holds(relation, a, b, scene)
    ]
    if not pairs:
        return None
    a, name_a, b, name_b = pick(pairs, rng)
    return Draft(
        question=f"Is the {name_a} {ask} the {name_b}?",
        rationale=sentence([a], relation, b),
        right=(answer,),
        wrong=tuple(word for word in words if word != answer),
    )


def side(scene: Scene, rng: np.random.Generator) -> Draft | None:
    """ "Is the cup left or right of the lamp?" """
    words = {"left": Relation.LEFT_OF, "right": Relation.RIGHT_OF}
    return _either(scene, rng, words, "left or right of")


def depth(scene: Scene, rng: np.random.Generator) -> Draft | None:
    """ "Is the cup in front of or behind the lamp?" """
    words = {"in front": Relation.IN_FRONT_OF, "behind": Relation.BEHIND}
    return _either(scene, rng, words, "in front of or behind")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """The objects that clearly do and clearly do not stand in a relation to a landmark."""

    relation: Relation
    landmark: SceneObject
    name: str
    inside: list[SceneObject]
    outside: list[SceneObject]
    complete: bool
    """No object is a borderline case."""


def _surroundings(scene: Scene, among: Sequence[Relation]) -> list[_Around]:
    found = []
    for landmark in scene.objects:
        name = reference(scene, landmark)
        others = [other for other in scene.objects if other != landmark]
        for relation in among if name is not None else ():
            inside = [o for o in others if holds(relation, o, landmark, scene)]
            outside = [o for o in others if is_ruled_out(relation, o, landmark, scene)]
            found.append(
                _Around(
                    relation=relation,
                    landmark=landmark,
                    name=str(name),
                    inside=inside,
                    outside=outside,
                    complete=len(inside) + len(outside) == len(others),
                )
            )
    return found


def relation_which(scene: Scene, rng: np.random.Generator) -> Draft | None:
    """ "Which of these is left of the cup?": one right name among those of the scene."""
    named = with_unique_label(scene)
    cases = [
        (around, wrong)
        for around in _surroundings(scene, (*REFERRING_RELATIONS, Relation.NEAR))
        if around.inside and (wrong := [o for o in around.outside if o in named])
    ]
    # Few pairs touch or stack; drawing the relation first keeps the words in balance.
    cases = [(a, w) for a, w in cases if any(o in named for o in a.inside)]
    if not cases:
        return None
    relation = pick(sorted({around.relation for around, _ in cases}), rng)
    around, wrong = pick([case for case in cases if case[0].relation == relation], rng)
    thing = pick([o for o in around.inside if o in named], rng)
    return Draft(
        question=f"Which of these is {relation} the {around.name}?",
        rationale=sentence([thing], relation, around.landmark),
        right=(label(thing),),
        wrong=tuple(label(o) for o in some(wrong, MAX_OPTIONS - 1, rng)),
    )


def multi_side(scene: Scene, rng: np.random.Generator) -> Draft | None:
    """ "Which of these are left of the lamp?": any number of right names, wrong ones optional."""
    named = with_unique_label(scene)
    cases = []
    for around in _surroundings(scene, (Relation.LEFT_OF, Relation.RIGHT_OF)):
        right = [o for o in around.inside if o in named][: MAX_OPTIONS - 1]
        wrong = [o for o in around.outside if o in named][: MAX_OPTIONS - len(right)]
        if len(right) + len(wrong) > 1:
            cases.append((around, right, wrong))
    chosen = several(cases, [len(right) for _, right, _ in cases], rng)
    if chosen is None:
        return None
    around, right, wrong = chosen
    return Draft(
        question=f"Which of these are {around.relation} the {around.name}?",
        rationale=sentence(right, around.relation, around.landmark),
        right=tuple(label(o) for o in right),
        wrong=tuple(label(o) for o in wrong),
    )


def _count_draft(question: str, count: int, rationale: Segments, rng: np.random.Generator) -> Draft:
    others = [word for word in NUMBERS if word != NUMBERS[count]]
    wrong = tuple(some(others, MAX_OPTIONS - 1, rng))
    return Draft(question=question, rationale=rationale, right=(NUMBERS[count],), wrong=wrong)


def count(scene: Scene, rng: np.random.Generator) -> Draft | None:
    """ "How many objects are red?", "… cups are there?", "… objects are left of the lamp?" """
    cases: dict[int, list[tuple[str, Segments]]] = {}

    def add(question: str, things: list[SceneObject], rationale: Segments) -> None:
        boxes = sum(not isinstance(part, str) for part in rationale)
        if boxes <= MAX_BOXES:
            cases.setdefault(len(things), []).append((question, rationale))

    for shade in sorted({thing.color for thing in scene.objects}):
        things = [thing for thing in scene.objects if thing.color == shade]
        add(f"How many objects are {shade}?", things, sentence(things, shade))
    for noun in sorted({thing.category for thing in scene.objects}):
        things = [thing for thing in scene.objects if thing.category == noun]
        there = weave(f"There {'is' if len(things) == 1 else 'are'} ", *listing(things, None), ".")
        add(f"How many {plural(noun)} are there?", things, there)
    for around in _surroundings(scene, REFERRING_RELATIONS[:4]):
        if around.complete:
            things, relation = around.inside, around.relation
            none = weave(f"No object is {relation} the ", around.landmark, ".")
            said = sentence(things, relation, around.landmark) if things else none
            add(f"How many objects are {relation} the {around.name}?", things, said)
    if not cases:
        return None
    number = pick(sorted(cases), rng)
    question, rationale = pick(cases[number], rng)
    return _count_draft(question, number, rationale, rng)
