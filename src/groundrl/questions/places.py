"""Kinds of question about where the objects are: which one is meant, sides, depths.

Each returns None where the image leaves no such question with exactly one reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundrl.questions.draft import Draft, choice
from groundrl.questions.draws import Draws, up_to
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.place_claims import Beside, EitherRelation, Further, word_of
from groundrl.questions.references import REFERRING_RELATIONS, Reference, short_reference
from groundrl.questions.sentences import find, relate
from groundrl.questions.things import MAX_OPTIONS, draw_several
from groundrl.relations import Relation

SIDES: Final = (Relation.LEFT_OF, Relation.RIGHT_OF, Relation.ABOVE, Relation.BELOW)
DEPTHS: Final = (Relation.BEHIND, Relation.IN_FRONT_OF)


def either(
    image: KnownImage, draws: Draws, *, relations: tuple[Relation, Relation]
) -> Draft | None:
    """ "Is the cup left or right of the lamp?", "Is the cup in front of or behind the lamp?"

    One of two converse relations; the right one is drawn first.
    """
    relation = draws.choice(relations)
    named = [(o, name) for o in image.objects if (name := short_reference(o, image)) is not None]
    pairs = [
        (a, first, b, second)
        for a, first in named
        for b, second in named
        if image.relation(a, relation, b) is True
    ]
    if not pairs:
        return None
    a, first, b, second = draws.choice(pairs)
    return choice(
        EitherRelation(subject=first, object=second, relations=relations),
        draws.choice(relate([image.phrase(a)], relation, image.phrase(b))),
        [word_of(relation)],
        [word_of(other) for other in relations if other is not relation],
        draws,
    )


def further(image: KnownImage, draws: Draws, *, relations: Sequence[Relation]) -> Draft | None:
    """ "Which is further left, the dog or the cat?", "Which is nearer, the dog or the cat?" Of two
    objects of unique classes."""
    unique = image.unique
    pairs = [
        (relation, a, b)
        for relation in relations
        for a in unique
        for b in unique
        if image.relation(a, relation, b) is True
    ]
    if not pairs:
        return None
    relation, a, b = draws.choice(pairs)
    first, second = draws.sample((a.noun, b.noun), k=2)
    return Draft(
        claim=Further(relation=relation, nouns=(first, second)),
        rationale=draws.choice(relate([image.phrase(a)], relation, image.phrase(b))),
        options=(first, second),
        answers=(a.noun,),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The objects that clearly do and clearly do not stand in a relation to a landmark."""

    relation: Relation
    landmark: KnownObject
    name: Reference
    inside: list[KnownObject]
    outside: list[KnownObject]
    complete: bool
    """No object is a borderline case."""


def surroundings(
    image: KnownImage, relations: Sequence[Relation], landmarks: Sequence[KnownObject]
) -> list[Surroundings]:
    """For each of ``landmarks`` that a short reference means, and each of the relations."""
    found = []
    for landmark in landmarks:
        name = short_reference(landmark, image)
        others = [other for other in image.objects if other is not landmark]
        for relation in relations if name is not None else ():
            verdicts = [(other, image.relation(other, relation, landmark)) for other in others]
            found.append(
                Surroundings(
                    relation=relation,
                    landmark=landmark,
                    name=name or Reference(),
                    inside=[other for other, verdict in verdicts if verdict is True],
                    outside=[other for other, verdict in verdicts if verdict is False],
                    complete=all(verdict is not None for _, verdict in verdicts),
                )
            )
    return found


def relation_which(image: KnownImage, draws: Draws) -> Draft | None:
    """ "Which of these is left of the cup?": one right name among those of the image."""
    named = image.alone_in_color
    cases = [
        (around, wrong)
        for around in surroundings(image, (*REFERRING_RELATIONS, Relation.NEAR), image.objects)
        if any(o in named for o in around.inside)
        and (wrong := [o for o in around.outside if o in named])
    ]
    if not cases:
        return None
    # Few pairs touch or stack; drawing the relation first keeps the words in balance.
    relation = draws.choice(sorted({around.relation for around, _ in cases}))
    around, wrong = draws.choice([case for case in cases if case[0].relation == relation])
    one = draws.choice([o for o in around.inside if o in named])
    return choice(
        Beside(relation=relation, anchor=around.name, single=True),
        draws.choice(find([image.phrase(one)], relation, image.phrase(around.landmark))),
        [one.label],
        [o.label for o in up_to(MAX_OPTIONS - 1, wrong, draws)],
        draws,
    )


def multi_side(image: KnownImage, draws: Draws) -> Draft | None:
    """ "Which of these are left of the lamp?": any number of right names, wrong ones optional."""
    named = image.alone_in_color
    cases = []
    for around in surroundings(image, (Relation.LEFT_OF, Relation.RIGHT_OF), image.objects):
        right = [o for o in around.inside if o in named][: MAX_OPTIONS - 1]
        wrong = [o for o in around.outside if o in named][: MAX_OPTIONS - len(right)]
        if len(right) + len(wrong) > 1:
            cases.append((around, right, wrong))
    chosen = draw_several(cases, [len(right) for _, right, _ in cases], draws)
    if chosen is None:
        return None
    around, right, wrong = chosen
    return choice(
        Beside(relation=around.relation, anchor=around.name),
        draws.choice(find(image.phrases(right), around.relation, image.phrase(around.landmark))),
        [o.label for o in right],
        [o.label for o in wrong],
        draws,
    )


def multi_side_of_unique(image: KnownImage, draws: Draws) -> Draft | None:
    """ "Which of these are above the dog?" Two to four objects of unique classes, each clearly on
    that side or on the opposite one."""
    unique = image.unique
    cases = []
    for around in surroundings(image, SIDES, unique):
        right = [one for one in unique if one in around.inside]
        wrong = [one for one in unique if one in around.outside]
        if right and wrong:
            cases.append((around, right, wrong))
    if not cases:
        return None
    around, right, wrong = draws.choice(cases)
    right = up_to(draws.randint(1, MAX_OPTIONS - 1), right, draws)
    wrong = up_to(MAX_OPTIONS - len(right), wrong, draws)
    anchor = image.phrase(around.landmark)
    return choice(
        Beside(relation=around.relation, anchor=around.name),
        draws.choice(find(image.phrases(right), around.relation, anchor, of_these=True)),
        [one.noun for one in right],
        [one.noun for one in wrong],
        draws,
    )
