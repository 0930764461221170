"""The embedded teacher: exact captions, some of them with a planted and recorded error."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundrl.cache_key import cache_key
from groundrl.errors import UserError
from groundrl.synthesis.annotations import PLANTABLE_KINDS, Caption
from groundrl.synthesis.roles import ImageView
from groundrl.synthesis.teachers.facts import ViewFacts, collect_facts
from groundrl.synthesis.teachers.statements import MAX_NUMBER, Statement, name_object, plant_error
from groundrl.world.source import SceneImage

MAX_RELATIONS: Final = 3
"""Sentences with a relation, per caption of a whole image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldTeacher:
    """Describes images of the embedded world exactly, and plants one error in some captions.

    All kinds of error are equally likely; where one kind is not possible, another is planted. A
    caption is a function of (seed, pixels, view). Photographs are described by their regions,
    without planted errors.
    """

    error_rate: float = 0.15
    """Fraction of the captions with a planted error."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.error_rate <= 1:
            raise UserError(f"teacher.error_rate={self.error_rate} is no share: type 0.15")

    @property
    def name(self) -> str:
        """All settings that captions depend on; ``version`` counts changes of the sentences."""
        return cache_key("world", version=1, error_rate=self.error_rate, seed=self.seed)

    def __call__(self, views: Sequence[ImageView]) -> list[Caption | None]:
        """The caption of each view."""
        return [self._caption(view) for view in views]

    def _caption(self, view: ImageView) -> Caption:
        facts = collect_facts(view)
        if not facts.objects:
            return Caption(text="There is nothing to point at.")
        crop = view.crop
        place = "whole" if crop is None else f"{crop.region.label}{crop.box.corners}"
        # random.Random hashes a text seed itself, equally in every process.
        rng = random.Random(f"{self.seed}/{view.image.digest}/{place}")
        exact = _describe_image(facts, rng) if crop is None else _describe_crop(facts, rng)
        plant = rng.random() < self.error_rate
        if plant and isinstance(view.image.source, SceneImage):
            for kind in rng.sample(PLANTABLE_KINDS, len(PLANTABLE_KINDS)):
                planted = plant_error(exact, facts, kind, rng)
                if planted is not None:
                    statements, error = planted
                    return Caption(text=_join(statements), planted=(error,))
        return Caption(text=_join(exact))


def _describe_image(facts: ViewFacts, rng: random.Random) -> list[Statement]:
    """Every object once, a few relations, and the count of one class."""
    statements: list[Statement] = []
    objects, unmentioned = facts.objects, set(range(len(facts.objects)))
    for i, relation, j in rng.sample(facts.relations, len(facts.relations)):
        # "A zebra is left of a zebra" is true of any two zebras.
        differ = name_object(objects[i]) != name_object(objects[j])
        if differ and {i, j} & unmentioned and len(statements) < MAX_RELATIONS:
            statements.append(Statement(subject=objects[i], relation=relation, object=objects[j]))
            unmentioned -= {i, j}
    # Photographs show many objects of a class: one sentence mentions all of them.
    by_name = {name_object(objects[i]): objects[i] for i in sorted(unmentioned)}
    statements += [Statement(subject=one) for one in by_name.values()]
    return [*statements, *_state_count(facts, rng)]


def _describe_crop(facts: ViewFacts, rng: random.Random) -> list[Statement]:
    """The object of a crop, a relation to another object, and the count of its class."""
    main = facts.objects[0]
    statements = [Statement(subject=main, opening="This")]
    relations = [
        (relation, j)
        for i, relation, j in facts.relations
        if i == 0 and name_object(facts.objects[j]) != name_object(main)
    ]
    for relation, j in rng.sample(relations, min(1, len(relations))):
        statements.append(Statement(subject=main, relation=relation, object=facts.objects[j]))
    number = sum(one.noun == main.noun for one in facts.objects)
    if number <= MAX_NUMBER:
        statements.append(Statement(subject=main, number=number))
    return statements


def _state_count(facts: ViewFacts, rng: random.Random) -> list[Statement]:
    """The count of one class; empty where all counts are too large to be written as words."""
    counts = Counter(one.noun for one in facts.objects)
    countable = sorted(noun for noun, number in counts.items() if number <= MAX_NUMBER)
    if not countable:
        return []
    # A class with several objects is more informative.
    several = [noun for noun in countable if counts[noun] > 1]
    noun = rng.choice(several or countable)
    subject = next(one for one in facts.objects if one.noun == noun)
    return [Statement(subject=subject, number=counts[noun])]


def _join(statements: Sequence[Statement]) -> str:
    return " ".join(statement.text for statement in statements)
