"""Captions of the embedded world: what they invent, and what else of them is wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np

from groundrl.answers.attempt import Attempt
from groundrl.data.world_captions import ask_for_caption
from groundrl.evaluation.benchmarks.base import (
    Figures,
    QuestionSet,
    ScoredAttempt,
    figures_of_sums,
    image_keys,
    mean,
    ratio,
    score_column,
)
from groundrl.evaluation.benchmarks.captions import Captions, Vocabulary, caption_text
from groundrl.evaluation.benchmarks.world import WORLD_WORDS, World
from groundrl.feedback.labels import SentenceError
from groundrl.feedback.world_judge import judge_sentences
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.records import CAPTION, Sample
from groundrl.world.graph import Scene
from groundrl.world.questions import ask
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage

ERROR_SHARES: Final = {
    SentenceError.ATTRIBUTE: "Share of stated colours and numbers that are wrong.",
    SentenceError.RELATIONSHIP: "Share of stated relations that are wrong.",
    SentenceError.LOCATION: "Share of stated places in the image that are wrong.",
}
"""Of what is said of objects that are there, and that the scene decides clearly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldCaption(Captions, World):
    """Captions, as CHAIR judges them, and each of their sentences by the scene itself
    (``feedback.world_judge``)."""

    detailed: bool = False
    """Whether it asks for descriptions, as data=world_captions does."""
    vocabulary: ClassVar[Vocabulary] = WORLD_WORDS
    figure_infos: ClassVar[FigureInfos] = {
        **Captions.figure_infos,
        **{f"{error}_errors": FigureInfo(meaning=text) for error, text in ERROR_SHARES.items()},
        "wrong_sentences": FigureInfo(meaning="Share of sentences with an error of any kind."),
        "conjectures": FigureInfo(meaning="Sentences that only guess, per caption."),
        "errors": FigureInfo(
            meaning="Errors per caption: each kind counts once in a sentence.", score="errors"
        ),
        "sentences": FigureInfo(meaning="Sentences per caption.", score="sentences"),
    }

    def questions(self) -> QuestionSet:
        """See ``Benchmark``; the right words are the classes that are there."""

        def draw(index: int, scene: Scene) -> Sample | None:
            if self.detailed:
                sample = ask_for_caption(scene)
            else:
                sample = ask(scene, "describe", np.random.default_rng(index))
            return None if sample is None else with_classes(sample, scene)

        return QuestionSet(samples=tuple(self.draw_from_scenes(draw)))

    def score(self, attempt: Attempt) -> dict[str, float]:
        """See ``Captions``; and of each kind of error what was said and what of it is wrong."""
        image = attempt.sample.image
        assert isinstance(image, SceneImage)
        judged = judge_sentences(build_scene(image.spec), caption_text(attempt))
        verdicts = [verdict for sentence in judged for verdict in sentence.verdicts]
        scores = Captions.score(self, attempt)
        for error in (*ERROR_SHARES, SentenceError.CONJECTURE):
            decided = [true for about, true in verdicts if about is error and true is not None]
            scores[f"{error}_said"] = float(len(decided))
            scores[f"{error}_wrong"] = float(decided.count(False))
        scores["wrong_sentences"] = float(sum(bool(one.label.errors) for one in judged))
        scores["errors"] = float(sum(len(sentence.label.errors) for sentence in judged))
        scores["sentences"] = float(len(judged))
        return scores

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``."""
        found, images = Captions.figures(self, answered), image_keys(answered)
        for error in ERROR_SHARES:
            parts = [score_column(answered, f"{error}_{part}") for part in ("wrong", "said")]
            share = {f"{error}_errors": lambda sums: ratio(sums[:, 0], sums[:, 1])}
            found |= figures_of_sums(share, np.stack(parts, axis=1), images)
        parts = [score_column(answered, name) for name in ("wrong_sentences", "sentences")]
        share = {"wrong_sentences": lambda sums: ratio(sums[:, 0], sums[:, 1])}
        found |= figures_of_sums(share, np.stack(parts, axis=1), images)
        found |= mean("conjectures", score_column(answered, "conjecture_said"), images)
        for name in ("errors", "sentences"):
            found |= mean(name, score_column(answered, name), images)
        return found


def with_classes(sample: Sample, scene: Scene) -> Sample:
    """The sample with the classes that are in its scene as ``answers``."""
    return replace(sample, answers=tuple(sorted({one.category for one in scene.objects})))


def score_descriptions(attempts: Iterable[Attempt]) -> list[ScoredAttempt]:
    """The scores of ``WorldCaption`` for those that describe a scene; others are left out."""
    scored = []
    for attempt in attempts:
        sample = attempt.sample
        if sample.kind == CAPTION and isinstance(sample.image, SceneImage):
            scene = build_scene(sample.image.spec)
            described = replace(attempt, sample=with_classes(sample, scene))
            scores = WorldCaption().score(described)
            scored.append(ScoredAttempt(attempt=described, scores=scores))
    return scored
