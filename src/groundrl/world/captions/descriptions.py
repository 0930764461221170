"""Detailed descriptions of scenes, exact or with errors that are known.

A captioner believes something of each object and writes it down: a wrong colour and an invented
object turn up in every sentence about them, as the errors of large models do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from groundrl.boxes import Box
from groundrl.questions.draws import NumpyDraws
from groundrl.questions.references import Reference
from groundrl.questions.sentences import weave
from groundrl.questions.yes_no import wrong_count
from groundrl.records import Grounding, Segments
from groundrl.relations import CONVERSE, Relation
from groundrl.world.captions import wording
from groundrl.world.captions.assertions import (
    Assertion,
    ColorAssertion,
    GuessAssertion,
    NumberAssertion,
    ObjectAssertion,
    Place,
    PlaceAssertion,
    RelationAssertion,
)
from groundrl.world.captions.beliefs import Belief, believe
from groundrl.world.captions.errors import (
    CONFUSED_PLACES,
    CONFUSED_RELATIONS,
    EXACT,
    CaptionErrors,
)
from groundrl.world.graph import Scene
from groundrl.world.known import known_scene

LENGTH: Final = (4, 7)
"""Sentences of a description beside a guess; fewer where a scene has no more to say."""
KINDS: Final = ("color", "relation", "place")
"""Kinds of sentence behind what is there, in their order; each once before any is drawn again."""
OFTEN: Final = ("color", "relation", "relation", "place")
"""What further sentences are drawn from."""
TRIES: Final = 8
"""Draws of one sentence before its kind is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionSentence:
    """One sentence, and what it says."""

    segments: Segments
    assertions: tuple[Assertion, ...]
    wrong: tuple[Assertion, ...] = ()
    """Those of ``assertions`` that were made wrong on purpose."""


def boxed_caption(sentences: Sequence[CaptionSentence]) -> Segments:
    """The whole caption; every object is linked to its box where it is named first."""
    parts: list[str | Grounding] = []
    linked: set[Box] = set()
    for number, sentence in enumerate(sentences):
        parts.append(" " if number else "")
        for part in sentence.segments:
            again = isinstance(part, Grounding) and part.box in linked
            parts.append(part.label if isinstance(part, Grounding) and again else part)
            linked |= {part.box} if isinstance(part, Grounding) else set()
    return weave(*parts)


def plain_caption(sentences: Sequence[CaptionSentence]) -> str:
    """The whole caption without boxes."""
    parts = [part for sentence in sentences for part in (*sentence.segments, " ")]
    return "".join(part if isinstance(part, str) else part.label for part in parts).rstrip()


def describe(
    scene: Scene, rng: np.random.Generator, errors: CaptionErrors = EXACT
) -> tuple[CaptionSentence, ...]:
    """A description in 4 to 8 sentences: every object with its colour, how many there are of a
    class, then colours, relations and places in the image, at the end perhaps a guess. A
    function of scene, generator and errors.
    """
    return _Describer(scene, errors, NumpyDraws(rng)).sentences()


class _Describer:
    """Draws the sentences of one description."""

    def __init__(self, scene: Scene, errors: CaptionErrors, draws: NumpyDraws) -> None:
        self.image = known_scene(scene)
        self.subject = scene.spec.subject
        self.errors = errors
        self.draws = draws
        self.beliefs = believe(self.image, self.subject, errors, draws)
        self.said: set[tuple[str, frozenset[Belief]]] = set()
        """What was said of which objects: nothing is said twice."""

    def sentences(self) -> tuple[CaptionSentence, ...]:
        """See ``describe``."""
        counted = self.number()
        begin = [self.inventory(), *([] if counted is None else [counted])]
        left = self.draws.randint(*LENGTH) - len(begin)
        kinds = [*KINDS, *(self.draws.choice(OFTEN) for _ in range(max(left - len(KINDS), 0)))]
        drawn = [self.draw(kind) for kind in self.draws.sample(kinds, k=left)]
        # The order of a person who describes: kind by kind, object by object.
        more = sorted((one for one in drawn if one is not None), key=lambda one: one[:2])
        guesses = self.draws.random() < self.errors.conjecture
        return (*begin, *(one[2] for one in more), *([self.guess()] if guesses else []))

    def draw(self, kind: str) -> tuple[int, int, CaptionSentence] | None:
        """A new sentence of this kind, or of another where the scene has no more of it, with its
        place among KINDS and that of its object among the beliefs."""
        makers = {"color": self.color, "relation": self.relation, "place": self.place}
        for other in (kind, *KINDS):
            for _ in range(TRIES):
                index = self.draws.randint(0, len(self.beliefs) - 1)
                sentence = makers[other](self.beliefs[index])
                if sentence is not None:
                    return KINDS.index(other), index, sentence
        return None

    def inventory(self) -> CaptionSentence:
        """Every object with its colour."""
        segments = wording.name_all(
            [one.phrase(colored=True) for one in self.beliefs], self.subject, self.draws
        )
        return _sentence(segments, [_naming(one, colored=True) for one in self.beliefs])

    def number(self) -> CaptionSentence | None:
        """How many there are of a class; None where each has one object."""
        nouns = [one.noun for one in self.beliefs if not one.alone]
        if not nouns:
            return None
        noun = self.draws.choice(nouns)
        number, errs = nouns.count(noun), self.draws.random() < self.errors.attribute
        number = wrong_count(number, self.draws) if errs else number
        there = ObjectAssertion(noun=noun)
        counted = NumberAssertion(what=Reference(noun=noun), number=number)
        return CaptionSentence(
            segments=wording.count(noun, number, self.draws),
            assertions=(there, counted),
            wrong=(counted,) if errs else (),
        )

    def color(self, one: Belief) -> CaptionSentence | None:
        """The colour of an object that its class names."""
        if not one.alone or not self.is_new("color", one):
            return None
        segments = wording.state_color(one.phrase(colored=False), one.color, self.draws)
        return _sentence(segments, [_naming(one, colored=True)])

    def relation(self, a: Belief) -> CaptionSentence | None:
        """How an object stands to another one; anyhow where one of them is invented."""
        others = [other for other in self.beliefs if other is not a]
        if not others:
            return None
        b = self.draws.choice(others)
        colored = [self.needs_color(one) for one in (a, b)]
        first, second = a.reference(colored=colored[0]), b.reference(colored=colored[1])
        options = {
            relation: RelationAssertion(subject=first, relation=relation, object=second)
            for relation in wording.RELATION_WORDINGS
        }
        errs = False
        if a.real and b.real:
            true = [one for one, said in options.items() if said.verdict(self.image)]
            false = [one for one, said in options.items() if said.verdict(self.image) is False]
            if not true:
                return None
            relation = self.draws.choice(true)
            errs = bool(false) and self.draws.random() < self.chance_of(relation)
            if errs:
                converse = [other for other in false if other == CONVERSE.get(relation)]
                relation = self.draws.choice(converse or false)
        else:
            relation = self.draws.choice(CONFUSED_RELATIONS)
        if not self.is_new("relation", a, b):
            return None
        phrases = [one.phrase(colored=c) for one, c in zip((a, b), colored, strict=True)]
        return _sentence(
            wording.relate(phrases[0], relation, phrases[1], self.draws),
            [_naming(one, colored=c) for one, c in zip((a, b), colored, strict=True)],
            options[relation],
            errs=errs,
        )

    def chance_of(self, relation: Relation) -> float:
        """That a true relation is taken for another."""
        rate = self.errors.relationship
        if relation not in CONFUSED_RELATIONS:
            return rate
        case = CONFUSED_RELATIONS.index(relation)
        return self.errors.chance(rate, case, len(CONFUSED_RELATIONS))

    def place(self, one: Belief) -> CaptionSentence | None:
        """Where in the image an object is."""
        colored, errs = self.needs_color(one), False
        what = one.reference(colored=colored)
        options = {where: PlaceAssertion(what=what, place=where) for where in Place}
        if one.real:
            true = [where for where, said in options.items() if said.verdict(self.image)]
            false = [w for w, said in options.items() if said.verdict(self.image) is False]
            if not true:
                return None
            where, case = true[0], CONFUSED_PLACES.index(true[0])
            chance = self.errors.chance(self.errors.location, case, len(CONFUSED_PLACES))
            errs = bool(false) and self.draws.random() < chance
            where = self.draws.choice(false) if errs else where
        else:
            where = self.draws.choice(list(Place))
        if not self.is_new("place", one):
            return None
        segments = wording.place(one.phrase(colored=colored), where, self.draws)
        return _sentence(segments, [_naming(one, colored=colored)], options[where], errs=errs)

    def guess(self) -> CaptionSentence:
        """What may happen to an object; of it only the class is claimed."""
        one = self.draws.choice(self.beliefs)
        segments = wording.guess(one.noun, one.phrase(colored=not one.alone), self.draws)
        naming = _naming(one, colored=False)
        return _sentence(segments, [naming], GuessAssertion(), errs=True)

    def needs_color(self, one: Belief) -> bool:
        """Whether it is called "the red cup": always where "the cup" would not do."""
        return not one.alone or self.draws.random() < 0.5

    def is_new(self, kind: str, *about: Belief) -> bool:
        """Whether nothing of this kind was said of these objects; from now on it was."""
        key = (kind, frozenset(about))
        new = key not in self.said
        self.said.add(key)
        return new


def _naming(one: Belief, *, colored: bool) -> tuple[list[Assertion], list[Assertion]]:
    """What "the red cup" says, and what of it is wrong."""
    there = ObjectAssertion(noun=one.noun)
    color = [ColorAssertion(noun=one.noun, color=one.color)] if colored else []
    wrong = [] if one.real else [there]
    return [there, *color], [*wrong, *(color if one.miscolored else [])]


def _sentence(
    segments: Segments,
    namings: Sequence[tuple[list[Assertion], list[Assertion]]],
    also: Assertion | None = None,
    *,
    errs: bool = False,
) -> CaptionSentence:
    """A sentence that names objects and says something of them; ``errs``: that is wrong."""
    more = () if also is None else (also,)
    return CaptionSentence(
        segments=segments,
        assertions=(*(one for said, _ in namings for one in said), *more),
        wrong=(*(one for _, wrong in namings for one in wrong), *(more if errs else ())),
    )
