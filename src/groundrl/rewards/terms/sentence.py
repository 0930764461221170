"""What a reward model says of each sentence (ViGoR, arXiv 2402.06118, section 3.1)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

import torch

from groundrl.answers.attempt import Attempt, answer_place
from groundrl.feedback.captions import CaptionToScore
from groundrl.feedback.load import load_reward_model, read_description
from groundrl.feedback.reward_model import RewardModel, SentenceScore
from groundrl.feedback.shared_base import share_base
from groundrl.policy.policy import Policy
from groundrl.records import ImageSource, SpanScore
from groundrl.rewards.base import Rating
from groundrl.running.batch_cache import BatchCache
from groundrl.running.full_memory import explain_full_memory

logger = logging.getLogger(__name__)

REMEMBERED: Final = 20_000
"""Captions."""


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """Mean over the sentences of the answer of ``(t - p) / t`` where ``p <= t``, else
    ``(t - p) / (1 - t)``, in [-1, 1], with p the probability of an error and t the reward model's
    threshold. Spans: the same of each sentence, where the model rates sentences.

    Without an answer the whole text is read; None without a sentence. What games it: saying little,
    once or again and again, and whatever the model was not taught, first of all sentences that say
    nothing. Retrain it on captions of the policy that it rates.
    """

    supplied_arguments: ClassVar[frozenset[str]] = frozenset({"policy"})
    needs: ClassVar[frozenset[str]] = frozenset()
    measures: ClassVar[frozenset[str]] = frozenset({"sentences"})
    gamed_by: ClassVar[frozenset[str]] = frozenset(
        {"a sentence about nothing", "one object named", "one object again and again"}
    )
    model: str
    """The folder of a trained reward model: ``<run>/reward_model``."""
    base: str | None = None
    """Where its base model is now, if not where it was."""
    device: str | None = None
    """None: that of the policy where the two share their base, else a GPU where there is one. A
    reward model on a device that is named has a base of its own."""
    weight: float = 1.0
    policy: Policy | None = field(default=None, repr=False, compare=False)
    """The one that is trained: see ``with_policy``."""
    _known: BatchCache[tuple[str, str, str], list[SentenceScore]] = field(
        default_factory=lambda: BatchCache(REMEMBERED), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Raises UserError for a folder without a reward model; its weights are loaded later."""
        read_description(Path(self.model).expanduser())

    def with_policy(self, policy: Policy) -> "Sentence":
        """See ``UsesPolicy``: the policy's base serves the reward model, too, if they are equal."""
        return replace(self, policy=policy if self.device is None else None)

    @cached_property
    def _loaded(self) -> RewardModel:
        return load_reward_model(self.model, base=self.base).eval()

    @cached_property
    def _lender(self) -> Policy | None:
        """The policy whose base the reward model computes with; None where it has its own."""
        saved = 0 if self.policy is None else share_base(self._loaded, self.policy)
        if not saved:
            return None
        logger.info("%s shares the policy's base: %.0f MB less", self.model, saved / 1e6)
        return self.policy

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
        captions = [
            CaptionToScore(image=images[image], question=question, text=text)
            for image, question, text in keys
        ]
        # A shared base stays where it is: the policy may be sampling with it now.
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        lender = self._lender
        model = self._loaded.to(device if lender is None else lender.device)
        with explain_full_memory({}, ("reward.terms.sentence.device=cpu",)):
            return model.score_many(captions)

    def _rating(self, scores: Sequence[SentenceScore], start: int) -> Rating | None:
        if not scores:
            return None
        model = self._loaded
        spans = tuple(
            SpanScore(
                start=start + one.start,
                stop=start + one.stop,
                value=signed(one.wrong, model.threshold),
            )
            for one in scores
        )
        value = sum(span.value for span in spans) / len(spans)
        return Rating(value=value, spans=spans if model.level == "sentence" else ())


def signed(wrong: float, threshold: float) -> float:
    """From 1, surely right, over 0 at the threshold to -1, surely wrong."""
    return (threshold - wrong) / (threshold if wrong <= threshold else 1 - threshold)
