"""Questions for pretraining the embedded model, and what is learned of their answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from groundrl.evaluation.prompting import DIRECT
from groundrl.questions.draws import NumpyDraws
from groundrl.questions.things import presence_of_class
from groundrl.records import Form, Sample
from groundrl.world.graph import Scene
from groundrl.world.known import known_scene
from groundrl.world.questions import questions_about, sample_of
from groundrl.world.vocabulary import CATEGORIES, CLASSES, COLORS

POINTING_LESSONS = (
    "describe",
    "locate",
    "locate",
    "locate",
    "side",
    "depth",
    "multi_color",
    "relation_which",
)
"""Kinds answered by the rationale alone; a kind listed twice is asked twice as often."""
RELATING_LESSONS = (
    *("is_related",) * 3,
    *("statement",) * 3,
    *("presence",) * 6,
    *("exists",) * 2,
    *("count",) * 5,
    *("is_numbered",) * 4,
    *("relation_which",) * 3,
    *("multi_side",) * 3,
    *("color",) * 3,
    *("side", "depth", "multi_color", "is_colored", "category"),
)
SINGLE_RELATING_LESSONS = ("presence", "presence", "exists", "count", "is_numbered", "is_colored")
"""For scenes with one object."""
CONCLUSION_LESSONS = (*("presence",) * 4, "exists", "exists", "is_colored", "is_numbered")
"""Kinds whose answer compares words of the reasoning with the question."""
ELSEWHERE_SHARE = 0.25
"""Of the scenes of the last phase, asked for a class of the other subject: a bus on a table."""
OPTIONS_SHARE = 0.15
"""Of the questions of the last phase, asked with their options, for an answer without reasoning."""
EXPLAIN_SHARE = 0.35
"""Asked with their options and to be explained. Without the request the shipped model answers in
words alone; that it can reason about options is what a warm-up and GRPO bring out."""
EXPLAIN = ("Explain.", "Explain your answer.", "Say what you look at.")
DIRECT_SHARE = 0.1
"""Asked with an instruction to answer directly."""
DIRECT_INSTRUCTIONS = {
    frozenset(("yes", "no")): (DIRECT[Form.YES_NO], f"Please {DIRECT[Form.YES_NO].lower()}"),
    frozenset(("true", "false")): (DIRECT[Form.TRUE_FALSE],),
}
WORD_LESSONS = ("color", "color", "category", "side", "depth", "count", "exists")
"""Kinds answered by words alone. "color" is listed twice: it needs finding an object by its class,
which is learned later than finding it by its colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """A question, and the part of a good answer that is learned from it."""

    sample: Sample
    part: Literal["reasoning", "answer", "both", "conclusion"]
    """"conclusion": the reasoning is given up to what it concludes."""


def without_options(
    scene: Scene, kinds: Sequence[str], count: int, part: Literal["reasoning", "answer"]
) -> Iterator[Exercise]:
    """Questions of the naming lesson."""
    for sample in questions_about(scene, kinds, count):
        yield Exercise(sample=replace(sample, options=()), part=part)


def conclusions(scene: Scene, count: int) -> Iterator[Exercise]:
    """What follows from reasoning about objects that are not in the image: the boxes are those of
    the scene, the classes and colours are not.

    Whether "a gray cup" is "a candle" has to be read, not seen. Among everything else that an
    answer needs, this comparison is not found; alone it is, within a hundred steps.
    """
    rng = np.random.default_rng((scene.spec.seed, scene.spec.index, 1))
    imagined = replace(
        scene,
        objects=tuple(
            replace(
                one,
                category=CLASSES[rng.integers(len(CLASSES))],
                color=tuple(COLORS)[rng.integers(len(COLORS))],
            )
            for one in scene.objects
        ),
    )
    for sample in questions_about(imagined, CONCLUSION_LESSONS, count):
        yield Exercise(sample=replace(sample, options=()), part="conclusion")


def elsewhere(scene: Scene, rng: np.random.Generator) -> Iterator[Exercise]:
    """Now and then, whether the scene holds a class of another subject."""
    if rng.random() < ELSEWHERE_SHARE:
        own = CATEGORIES[scene.spec.subject]
        foreign = [name for name in CLASSES if name not in own]
        draws = NumpyDraws(rng)
        draft = presence_of_class(draws.choice(foreign), known_scene(scene), draws)
        yield put(sample_of(draft, scene.spec, "presence"), rng)


def put(sample: Sample, rng: np.random.Generator) -> Exercise:
    """A question in one of its forms: plain, or with its options and a request to explain, to be
    reasoned about; with its options, or with an instruction to answer directly, for the answer
    alone."""
    plain = replace(sample, options=())
    draw = rng.random()
    if draw < OPTIONS_SHARE:
        return Exercise(sample=sample, part="answer")
    if draw < OPTIONS_SHARE + EXPLAIN_SHARE:
        asked = replace(sample, question=f"{EXPLAIN[rng.integers(len(EXPLAIN))]} {sample.question}")
        return Exercise(sample=asked, part="both")
    instructions = DIRECT_INSTRUCTIONS.get(frozenset(sample.options), ())
    if draw < OPTIONS_SHARE + EXPLAIN_SHARE + DIRECT_SHARE and instructions:
        instruction = instructions[rng.integers(len(instructions))]
        asked = replace(plain, question=f"{sample.question}\n{instruction}")
        return Exercise(sample=asked, part="answer")
    return Exercise(sample=plain, part="both")
