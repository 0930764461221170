"""What a reward model says of each sentence (ViGoR, arXiv 2402.06118, section 3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

import torch

from groundrl.answers.attempt import Attempt, answer_place
from groundrl.feedback.captions import CaptionToScore
from groundrl.feedback.load import load_reward_model, read_description
from groundrl.feedback.reward_model import RewardModel, SentenceScore
from groundrl.records import ImageSource, SpanScore
from groundrl.rewards.base import Rating
from groundrl.running.batch_cache import BatchCache

REMEMBERED: Final = 20_000
"""Captions."""


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """Mean over the sentences of the answer of ``(t - p) / t`` where ``p <= t``, else
    ``(t - p) / (1 - t)``, in [-1, 1], with p the probability of an error and t the reward model's
    threshold. Spans: the same of each sentence, where the model rates sentences.

    Without an answer the whole text is read; None without a sentence. What games it: whatever the
    model was not taught, first of all sentences that say nothing. Retrain it on captions of the
    policy that it rates.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    model: str
    """The folder of a trained reward model: ``<run>/reward_model``."""
    base: str | None = None
    """Where its base model is now, if not where it was."""
    device: str | None = None
    """None takes a GPU where there is one."""
    weight: float = 1.0
    _known: BatchCache[tuple[str, str, str], list[SentenceScore]] = field(
        default_factory=lambda: BatchCache(REMEMBERED), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Raises UserError for a folder without a reward model; its weights are loaded later."""
        read_description(Path(self.model).expanduser())

    @cached_property
    def _loaded(self) -> RewardModel:
        model = load_reward_model(self.model, base=self.base).eval()
        return model.to(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def rate(self, attempts: Sequence[Attempt]) -> list[Rating | None]:
        """See the class."""
        images = {one.sample.image.key: one.sample.image for one in attempts}
        places = [answer_place(one) for one in attempts]
        keys = [
            (one.sample.image.key, one.sample.question, one.completion.text[start:stop])
            for one, (start, stop) in zip(attempts, places, strict=True)
        ]
        scored = self._known(keys, lambda new: self._score(new, images))
        return [
            self._rating(scores, start) for scores, (start, _) in zip(scored, places, strict=True)
        ]

    def _score(
        self, keys: Sequence[tuple[str, str, str]], images: dict[str, ImageSource]
    ) -> list[list[SentenceScore]]:
        return self._loaded.score_many(
            [
                CaptionToScore(image=images[image], question=question, text=text)
                for image, question, text in keys
            ]
        )

    def _rating(self, scores: Sequence[SentenceScore], start: int) -> Rating | None:
        if not scores:
            return None
        threshold = self._loaded.threshold
        spans = tuple(
            SpanScore(
                start=start + one.start,
                stop=start + one.stop,
                value=signed(one.wrong, threshold),
            )
            for one in scores
        )
        value = sum(span.value for span in spans) / len(spans)
        return Rating(value=value, spans=spans if self._loaded.level == "sentence" else ())


def signed(wrong: float, threshold: float) -> float:
    """From 1, surely right, over 0 at the threshold to -1, surely wrong."""
    return (threshold - wrong) / (threshold if wrong <= threshold else 1 - threshold)
