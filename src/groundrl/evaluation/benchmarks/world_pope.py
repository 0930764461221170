"""The embedded world's POPE: half of the questions are about what is not there."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from groundrl.evaluation.benchmarks.base import QuestionSet
from groundrl.evaluation.benchmarks.world import World
from groundrl.evaluation.benchmarks.yes_no import Presence
from groundrl.questions.draws import NumpyDraws
from groundrl.questions.things import presence_of_class
from groundrl.records import Sample
from groundrl.world.graph import Scene
from groundrl.world.known import known_scene
from groundrl.world.questions import sample_of
from groundrl.world.vocabulary import CLASSES


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPOPE(Presence, World):
    """Is there a cup? About each scene once with yes and once with no, as in POPE.

    The class that is absent is drawn at random, is the one that most scenes hold ("popular"), or
    the one that scenes hold most often beside those that are there ("adversarial").
    """

    variant: Literal["random", "popular", "adversarial"] = "random"

    def questions(self) -> QuestionSet:
        """See ``Benchmark``."""
        scenes = list(itertools.islice(self.scenes(), self.size))
        held = [frozenset(thing.category for thing in scene.objects) for _, scene in scenes]
        samples: list[Sample] = []
        for (index, scene), here in zip(scenes, held, strict=True):
            rng = np.random.default_rng(index)
            there = sorted(here)[rng.integers(len(here))]
            absent = self._absent(here, held, rng)
            samples += [
                self._sample(scene, f"{index}/0", there, "yes"),
                self._sample(scene, f"{index}/1", absent, "no"),
            ]
        return QuestionSet(samples=tuple(samples))

    def _absent(
        self, here: frozenset[str], held: Sequence[frozenset[str]], rng: np.random.Generator
    ) -> str:
        # In an order of chance, which decides between classes that are equally frequent.
        names = [name for name in rng.permutation(CLASSES).tolist() if name not in here]
        if self.variant == "random":
            return names[0]
        adversarial = self.variant == "adversarial"
        counts = Counter[str]()
        for other in held:
            counts.update(dict.fromkeys(other, len(other & here) if adversarial else 1))
        return max(names, key=lambda name: counts[name])

    def _sample(self, scene: Scene, name: str, noun: str, answer: str) -> Sample:
        draws = NumpyDraws(np.random.default_rng(scene.spec.index))
        draft = presence_of_class(noun, known_scene(scene), draws)
        assert draft.answers == (answer,)
        return replace(sample_of(draft, scene.spec, "presence", id=name), options=())
