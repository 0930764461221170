"""What every kind of question is written with: drafts, draws and sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from groundrl.records import Segments
from groundrl.world.graph import SceneObject
from groundrl.world.phrases import capitalized, listing, weave

MAX_OPTIONS = 4
MAX_BOXES = 4
"""Of a rationale; "describe" names every object, however many there are."""
SINGLE_ANSWER_SHARE = 0.2
"""How often a question that allows several answers has one, where the scene offers both."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a kind decides; the groundings are those of the rationale."""

    question: str
    rationale: Segments
    right: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


def pick(items: Sequence[T], rng: np.random.Generator) -> T:
    """One item, each equally likely."""
    return items[int(rng.integers(len(items)))]


def some(items: Sequence[T], count: int, rng: np.random.Generator) -> list[T]:
    """Up to ``count`` different items in random order."""
    return [items[int(i)] for i in rng.permutation(len(items))[:count]]


def distractors(
    true: str, seen: set[str], known: Sequence[str], rng: np.random.Generator
) -> tuple[str, ...]:
    """Wrong words, those seen elsewhere in the scene first: guessing from presence fails."""
    near = some(sorted(seen - {true}), MAX_OPTIONS - 1, rng)
    far = some(sorted(set(known) - seen - {true}), MAX_OPTIONS - 1, rng)
    return tuple((near + far)[: MAX_OPTIONS - 1])


def several(cases: Sequence[T], counts: Sequence[int], rng: np.random.Generator) -> T | None:
    """A case with two or more right options, now and then one with a single right option."""
    many = [case for case, count in zip(cases, counts, strict=True) if count > 1]
    single = [case for case, count in zip(cases, counts, strict=True) if count == 1]
    if many and single:
        return pick(single if rng.random() < SINGLE_ANSWER_SHARE else many, rng)
    return pick(many or single, rng) if many or single else None


def sentence(
    things: Sequence[SceneObject], rest: str, landmark: SceneObject | None = None
) -> Segments:
    """ "The A and the B are <rest> [the landmark]." """
    tail: list[str | SceneObject] = ["."] if landmark is None else [" the ", landmark, "."]
    verb = " is " if len(things) == 1 else " are "
    return capitalized(weave(*listing(things, "the"), verb + rest, *tail))


def there_is(things: Sequence[SceneObject]) -> Segments:
    """ "There is a A and a B." """
    return weave("There is ", *listing(things, None), ".")
