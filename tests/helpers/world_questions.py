"""Questions about the embedded world that many tests ask."""

from dataclasses import replace

from groundrl.records import Sample
from groundrl.world.graph import SceneSpec
from groundrl.world.questions import ANSWER_KINDS, sample_question
from groundrl.world.source import SceneImage

EVERYWHERE = [kind for kind in ANSWER_KINDS if kind not in ("category", "multi_color")]
"""Kinds that every scene of three or more objects has a question of."""


def world_samples(count: int, seed: int = 5) -> list[Sample]:
    """Questions of different lengths about different scenes."""
    return [
        sample_question(SceneSpec(seed=seed, index=i), [EVERYWHERE[i % len(EVERYWHERE)], "count"])
        for i in range(count)
    ]


def with_context(samples: list[Sample]) -> list[Sample]:
    """The same questions, but the second, fourth, ... show another image of another size, too."""
    other = SceneImage(spec=SceneSpec(seed=8, index=0, width=190, height=90))
    return [
        replace(sample, context_images=(other,)) if i % 2 else sample
        for i, sample in enumerate(samples)
    ]
