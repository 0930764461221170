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
from groundrl.questions.draws import NumpyDraws
from groundrl.questions.references import object_meant
from groundrl.questions.verdicts import Related, related
from groundrl.records import Sample
from groundrl.relations import Relation
from groundrl.world.graph import Look, Scene, SceneSpec, Subject
from groundrl.world.known import known_scene
from groundrl.world.quarters import AUGMENTED, QUARTERS_SIDE, QuarteredScene
from groundrl.world.questions import ANSWER_KINDS, STATED_RELATIONS, ask, sample_of
from groundrl.world.render import build_scene
from groundrl.world.vocabulary import CATEGORIES
from groundrl.world.yes_no_pairs import PAIR_TASKS, draw_pair

HELD_OUT_SEED = 9_000_011
"""Far from every training and held-out seed."""
MOST_SCENES = 60
"""Looked at for one question before the next is drawn: some relations are rare."""

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

    def questions(self) -> QuestionSet:
        """See ``Benchmark``."""
        wanted = itertools.cycle(
            [(relation, true) for relation in STATED_RELATIONS for true in (True, False)]
        )
        scenes = self.scenes()
        samples: list[Sample] = []
        while len(samples) < self.size:
            relation, true = next(wanted)
            tried = itertools.islice(scenes, MOST_SCENES)
            drawn = (self.state(index, scene, relation, true) for index, scene in tried)
            samples += itertools.islice((one for one in drawn if one is not None), 1)
        return QuestionSet(samples=tuple(samples))

    def state(self, index: int, scene: Scene, relation: Relation, true: bool) -> Sample | None:
        """A statement with this relation, or None when the scene has none of that truth."""
        draws = NumpyDraws(np.random.default_rng(index))
        draft = related(
            known_scene(scene), draws, relations=(relation,), verdicts=(true,), stated=True
        )
        if draft is None:
            return None
        assert isinstance(draft.claim, Related)
        sample = sample_of(draft, scene.spec, str(relation), id=str(index))
        return self.show(replace(sample, options=()), draft.claim, scene)

    def show(self, sample: Sample, claim: Related, scene: Scene) -> Sample:
        """The sample with the image and the question in which it is put."""
        return sample


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRel3D(WorldVSR):
    """Relations in depth, as in Rel3D; ``augmented``: the image shows four quarters, RGB, depth
    and a filled mask of either object."""

    augmented: bool = True

    def show(self, sample: Sample, claim: Related, scene: Scene) -> Sample:
        """See ``WorldVSR``."""
        if not self.augmented:
            return sample
        known = known_scene(scene)
        a, b = object_meant(claim.subject, known), object_meant(claim.object, known)
        assert a is not None
        assert b is not None
        image = QuarteredScene(spec=scene.spec, boxes=(a.box, b.box), side=QUARTERS_SIDE)
        return replace(sample, image=image, question=f"{AUGMENTED} {sample.question}")
