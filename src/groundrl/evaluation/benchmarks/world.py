"""The embedded world's counterparts of published benchmarks: same protocols, nothing to download.

Scenes are held out by their seed, half of them tables and half of them streets.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np

from groundrl.config_node import ConfigNode, too_small
from groundrl.evaluation.benchmarks.base import (
    Figures,
    QuestionSet,
    ScoredAttempt,
    accuracy_by_kind,
)
from groundrl.evaluation.benchmarks.captions import Captions, Vocabulary
from groundrl.evaluation.benchmarks.choice import Choices
from groundrl.evaluation.benchmarks.mme import TaskPairs
from groundrl.evaluation.benchmarks.refcoco import Pointing
from groundrl.evaluation.benchmarks.statements import WORDS, Statements, statement
from groundrl.language.words import plural
from groundrl.records import Sample
from groundrl.world.graph import Look, Scene, SceneSpec, Subject
from groundrl.world.quarters import AUGMENTED, QuarteredScene
from groundrl.world.questions import ANSWER_KINDS, ask
from groundrl.world.render import build_scene
from groundrl.world.true_false import (
    PAIR_TASKS,
    STATED_RELATIONS,
    RelationStatement,
    draw_pair,
    draw_statement,
    one_word,
)
from groundrl.world.vocabulary import CATEGORIES

HELD_OUT_SEED = 9_000_011
"""Far from every training and held-out seed."""
MOST_SCENES = 60
"""Looked at for one question before the next is drawn: some relations are rare."""
QUARTERS_SIDE = 320
"""Pixels: each quarter is a scene's 160."""

T = TypeVar("T")

WORLD_WORDS = Vocabulary(
    {word: name for names in CATEGORIES.values() for name in names for word in (name, plural(name))}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Held-out scenes: no training set has their seed."""

    size: int = 100
    """Scenes asked about."""
    look: str = "plain"
    seed: int = HELD_OUT_SEED

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """At least one scene."""
        yield from too_small(node, {"size": 1})

    def scenes(self) -> Iterator[tuple[int, Scene]]:
        """Endless, with their numbers; subjects take turns."""
        for index in itertools.count():
            subject = tuple(Subject)[index % 2]
            spec = SceneSpec(seed=self.seed, index=index, subject=subject, look=Look(self.look))
            yield index, build_scene(spec)

    def draw_from_scenes(self, draw: Callable[[int, Scene], T | None]) -> list[T]:
        """Results of ``draw`` for the first ``size`` scenes for which it is not None."""
        drawn = (draw(index, scene) for index, scene in self.scenes())
        return list(itertools.islice((one for one in drawn if one is not None), self.size))

    def draw_questions(self, kinds: Sequence[str]) -> QuestionSet:
        """One question about each scene, the kinds in turn."""

        def draw(index: int, scene: Scene) -> Sample | None:
            # Halved, because subjects take turns as well.
            return ask(scene, kinds[index // 2 % len(kinds)], np.random.default_rng(index))

        return QuestionSet(samples=tuple(self.draw_from_scenes(draw)))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldVQA(Choices, World):
    """Multiple choice, as in A-OKVQA and DrivingVQA (``Choices``), and ``<kind>/acc``."""

    def questions(self) -> QuestionSet:
        """See ``Benchmark``."""
        return self.draw_questions(ANSWER_KINDS)

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See the class."""
        return Choices.figures(self, answered) | accuracy_by_kind(answered)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldREC(Pointing, World):
    """Referring expressions, as in RefCOCO."""

    def questions(self) -> QuestionSet:
        """See ``Benchmark``."""
        return self.draw_questions(("locate",))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldMME(TaskPairs, World):
    """Existence, count, position and colour, two questions each, as in MME."""

    def questions(self) -> QuestionSet:
        """One task per scene, the tasks in turn."""

        def draw(index: int, scene: Scene) -> tuple[Sample, Sample] | None:
            task = PAIR_TASKS[index // 2 % len(PAIR_TASKS)]
            pair = draw_pair(scene, task, np.random.default_rng(index))
            if pair is None:
                return None
            name = f"{task}/{index}"
            return (
                one_word(scene, f"{name}/0", pair.yes, "yes", task, pair.objects),
                one_word(scene, f"{name}/1", pair.no, "no", task),
            )

        return QuestionSet(
            samples=tuple(one for pair in self.draw_from_scenes(draw) for one in pair)
        )


def draw_statements(world: World) -> list[tuple[int, Scene, RelationStatement]]:
    """Statements with every relation equally often, exactly half of each of them true."""
    wanted = [(relation, true) for relation in STATED_RELATIONS for true in (True, False)]
    scenes = world.scenes()
    found: list[tuple[int, Scene, RelationStatement]] = []
    turn = 0
    while len(found) < world.size:
        relation, true = wanted[turn % len(wanted)]
        turn += 1
        for index, scene in itertools.islice(scenes, MOST_SCENES):
            one = draw_statement(scene, relation, true, np.random.default_rng(index))
            if one is not None:
                found.append((index, scene, one))
                break
    return found


def statement_sample(index: int, scene: Scene, one: RelationStatement) -> Sample:
    """The question whether a statement is true."""
    objects = (one.subject, one.object)
    text, answer = statement(one.text), WORDS[one.true]
    return one_word(scene, str(index), text, answer, str(one.relation), objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldVSR(Statements, World):
    """Statements with one spatial relation, true or false, as in VSR."""

    def questions(self) -> QuestionSet:
        """See ``Benchmark``."""
        return QuestionSet(
            samples=tuple(statement_sample(*drawn) for drawn in draw_statements(self))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRel3D(Statements, World):
    """Relations in depth, as in Rel3D; ``augmented``: the image shows four quarters, RGB, depth
    and a filled mask of either object."""

    augmented: bool = True

    def questions(self) -> QuestionSet:
        """See ``Benchmark``."""
        return QuestionSet(samples=tuple(self._sample(*drawn) for drawn in draw_statements(self)))

    def _sample(self, index: int, scene: Scene, one: RelationStatement) -> Sample:
        sample = statement_sample(index, scene, one)
        if not self.augmented:
            return sample
        boxes = (one.subject.box, one.object.box)
        image = QuarteredScene(spec=scene.spec, boxes=boxes, side=QUARTERS_SIDE)
        return replace(sample, image=image, question=f"{AUGMENTED} {sample.question}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldCaption(Captions, World):
    """Captions, as CHAIR judges them."""

    vocabulary: ClassVar[Vocabulary] = WORLD_WORDS

    def questions(self) -> QuestionSet:
        """See ``Benchmark``; the right words are the classes that are there."""

        def draw(index: int, scene: Scene) -> Sample | None:
            sample = ask(scene, "describe", np.random.default_rng(index))
            classes = tuple(sorted({thing.category for thing in scene.objects}))
            return None if sample is None else replace(sample, answers=classes)

        return QuestionSet(samples=tuple(self.draw_from_scenes(draw)))
