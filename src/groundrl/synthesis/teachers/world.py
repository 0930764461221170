"""The embedded teacher: exact captions, and now and then a planted error that it owns up to."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundrl.cache_key import cache_key
from groundrl.errors import UserError
from groundrl.synthesis.annotations import Caption, ErrorKind
from groundrl.synthesis.roles import View
from groundrl.synthesis.teachers.facts import Facts, facts_of
from groundrl.synthesis.teachers.statements import MAX_NUMBER, Statement, phrase, with_error
from groundrl.world.source import SceneImage

PLANTED: Final = (ErrorKind.OBJECT, ErrorKind.ATTRIBUTE, ErrorKind.RELATION, ErrorKind.COUNT)
MAX_RELATIONS: Final = 3
"""Sentences that relate two things, per caption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldTeacher:
    """Describes images of the embedded world exactly, ``error_rate`` of the views with one error.

    Errors of all kinds are equally likely; a view that leaves no room for one kind gets another.
    Every caption is a function of (seed, pixels, view). Of photographs it repeats what their
    regions say, without errors of its own.
    """

    error_rate: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.error_rate <= 1:
            raise UserError(f"teacher.error_rate={self.error_rate} is no share: type 0.15")

    @property
    def name(self) -> str:
        """With all that captions depend on; the number counts changes of the sentences."""
        return cache_key("world", version=1, error_rate=self.error_rate, seed=self.seed)

    def __call__(self, views: Sequence[View]) -> list[Caption | None]:
        """A caption of each."""
        return [self._caption(view) for view in views]

    def _caption(self, view: View) -> Caption:
        facts = facts_of(view)
        if not facts.things:
            return Caption(text="There is nothing to point at.")
        crop = view.crop
        place = "whole" if crop is None else f"{crop.region.label}{crop.box.corners}"
        # Text seeds are digested by random.Random itself, equal in every process.
        rng = random.Random(f"{self.seed}/{view.image.digest}/{place}")
        said = _whole(facts, rng) if crop is None else _part(facts, rng)
        wrong = rng.random() < self.error_rate
        if wrong and isinstance(view.image.source, SceneImage):
            for kind in rng.sample(PLANTED, len(PLANTED)):
                found = with_error(said, facts, kind, rng)
                if found is not None:
                    return Caption(text=_text(found[0]), planted=(found[1],))
        return Caption(text=_text(said))


def _whole(facts: Facts, rng: random.Random) -> list[Statement]:
    """Every thing once, a few relations, and how many there are of one kind."""
    said: list[Statement] = []
    left = set(range(len(facts.things)))
    relations = rng.sample(facts.relations, len(facts.relations))
    for i, relation, j in relations:
        # "A zebra is left of a zebra" would be true of any two.
        told = phrase(facts.things[i]) != phrase(facts.things[j])
        if told and {i, j} & left and len(said) < MAX_RELATIONS:
            said.append(Statement(thing=facts.things[i], relation=relation, other=facts.things[j]))
            left -= {i, j}
    alone = [facts.things[i] for i in sorted(left)]
    # Photographs hold many things of a kind: one sentence names them all.
    said += [Statement(thing=thing) for thing in {phrase(thing): thing for thing in alone}.values()]
    return [*said, *_count(facts, rng)]


def _part(facts: Facts, rng: random.Random) -> list[Statement]:
    """What a crop is about, how it stands to something else, and how many there are of its kind."""
    main = facts.things[0]
    said = [Statement(thing=main, opening="This")]
    own = [
        (relation, j)
        for i, relation, j in facts.relations
        if i == 0 and phrase(facts.things[j]) != phrase(main)
    ]
    for relation, j in rng.sample(own, min(1, len(own))):
        said.append(Statement(thing=main, relation=relation, other=facts.things[j]))
    number = sum(thing.noun == main.noun for thing in facts.things)
    if number <= MAX_NUMBER:
        said.append(Statement(thing=main, number=number))
    return said


def _count(facts: Facts, rng: random.Random) -> list[Statement]:
    numbers = {
        thing.noun: sum(other.noun == thing.noun for other in facts.things)
        for thing in facts.things
    }
    countable = sorted(noun for noun, number in numbers.items() if number <= MAX_NUMBER)
    if not countable:
        return []
    # One that occurs several times says more.
    several = [noun for noun in countable if numbers[noun] > 1]
    noun = rng.choice(several or countable)
    thing = next(thing for thing in facts.things if thing.noun == noun)
    return [Statement(thing=thing, number=numbers[noun])]


def _text(statements: Sequence[Statement]) -> str:
    return " ".join(statement.text for statement in statements)
