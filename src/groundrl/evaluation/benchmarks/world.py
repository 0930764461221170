"""The embedded world's counterparts of published benchmarks: same protocols, nothing to download.

Scenes are held out by their seed; unless ``subjects`` says otherwise, half of them are tables and
half of them streets.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from groundrl.config_node import ConfigNode, too_small
from groundrl.evaluation.benchmarks.base import (
    Figures,
    QuestionSet,
    ScoredAttempt,
    accuracy_by_kind,
)
from groundrl.evaluation.benchmarks.captions import Vocabulary
from groundrl.evaluation.benchmarks.choice import Choices
from groundrl.evaluation.benchmarks.mme import TaskPairs
from groundrl.evaluation.benchmarks.refcoco import Pointing
from groundrl.evaluation.benchmarks.statements import Statements
from groundrl.language.words import plural
from groundrl.records import Sample
from groundrl.world.graph import Look, Scene, SceneSpec, Subject
from groundrl.world.questions import ANSWER_KINDS, STATED_RELATIONS, ask, sample_of
from groundrl.world.render import build_scene
from groundrl.world.statements import View, state_each
from groundrl.world.vocabulary import CATEGORIES
from groundrl.world.yes_no_pairs import PAIR_TASKS, draw_pair

HELD_OUT_SEED = 9_000_011
"""Far from every training and held-out seed."""

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
    subjects: Sequence[str] = tuple(Subject)
    """They take turns."""
    seed: int = HELD_OUT_SEED

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """At least one scene."""
        yield from too_small(node, {"size": 1})

    def scenes(self) -> Iterator[tuple[int, Scene]]:
        """Endless, with their numbers."""
        for index in itertools.count():
            subject = Subject(self.subjects[index % len(self.subjects)])
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
            yes, no = (
                replace(sample_of(draft, scene.spec, task, id=f"{task}/{index}/{i}"), options=())
                for i, draft in enumerate(pair)
            )
            return yes, no

        return QuestionSet(
            samples=tuple(one for pair in self.draw_from_scenes(draw) for one in pair)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldVSR(Statements, World):
    """Statements with one spatial relation, true or false, as in VSR: every relation equally often,
    exactly half of each of them true."""

    @property
    def view(self) -> View:
        """What is shown."""
        return "rgb"

    def questions(self) -> QuestionSet:
        """See ``Benchmark``."""
        wanted = itertools.cycle(
            [(relation, true) for relation in STATED_RELATIONS for true in (True, False)]
        )
        scenes = (scene for _, scene in self.scenes())
        stated = state_each(scenes, wanted, view=self.view)
        return QuestionSet(samples=tuple(itertools.islice(stated, self.size)))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRel3D(WorldVSR):
    """Relations in depth, as in Rel3D; ``augmented``: the image shows four quarters, RGB, depth
    and a filled mask of either object."""

    augmented: bool = True

    @property
    def view(self) -> View:
        """See ``WorldVSR``."""
        return "quarters" if self.augmented else "rgb"
