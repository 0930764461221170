"""Does a detector find what the completion names? (ViGoR, arXiv 2402.06118, section 3.2)"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from groundrl.answers.attempt import Attempt
from groundrl.detectors.base import Detector, OpenVocabulary, UnlabelledImageError
from groundrl.detectors.records import InputImage, Region
from groundrl.language.nouns import LexiconNouns, NounFinder
from groundrl.language.splitting import split_sentences
from groundrl.records import ImageSource, SpanScore
from groundrl.rewards.base import Rating, Unanswered
from groundrl.running.batch_cache import BatchCache

REMEMBERED: Final = 100_000
"""Pairs of image and noun."""

Sight = Literal["found", "missing", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Noun:
    """``(found * n_found - missing * n_missing) / (n_found + n_missing)`` over the nouns that are
    named, once in each sentence; by default -1 to 1. Spans: the same of each sentence.

    Nouns of the question are no claims and do not count; neither do those that the detector doubts,
    nor, for a detector that knows only its vocabulary, any outside it. None without a noun that
    counts. What games it: naming little, and only what is certain; wrong attributes, relations and
    numbers cost nothing.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    detector: Detector
    find_nouns: NounFinder = field(default_factory=LexiconNouns)
    found: float = 1.0
    """What a noun earns that the detector finds."""
    missing: float = 1.0
    """What one costs that it does not find."""
    weight: float = 1.0
    _sights: BatchCache[tuple[str, str], Sight] = field(
        default_factory=lambda: BatchCache(REMEMBERED), init=False, repr=False, compare=False
    )

    def rate(self, attempts: Sequence[Attempt]) -> list[Rating | Unanswered | None]:
        """See the class. An image that the labels of ``detector=given`` do not cover cannot be
        rated."""
        named = [self._named(attempt) for attempt in attempts]
        images = {attempt.sample.image.key: attempt.sample.image for attempt in attempts}
        pairs = [
            (attempt.sample.image.key, name)
            for attempt, sentences in zip(attempts, named, strict=True)
            for name in dict.fromkeys(name for _, names in sentences for name in names)
        ]
        try:
            sights = dict(
                zip(pairs, self._sights(pairs, lambda new: self._look(new, images)), strict=True)
            )
        except UnlabelledImageError as error:
            return [Unanswered(reason=str(error)) for _ in attempts]
        return [
            self._rating(
                [
                    (span, [sights[attempt.sample.image.key, name] for name in names])
                    for span, names in sentences
                ]
            )
            for attempt, sentences in zip(attempts, named, strict=True)
        ]

    def _named(self, attempt: Attempt) -> list[tuple[tuple[int, int], list[str]]]:
        """Each sentence of the completion, with the nouns that it names."""
        text = attempt.completion.text
        asked = {noun.name for noun in self.find_nouns(attempt.sample.question)}
        nouns = [noun for noun in self.find_nouns(text) if noun.name not in asked]
        return [
            (
                (start, stop),
                list(dict.fromkeys(n.name for n in nouns if start <= n.start < stop)),
            )
            for start, stop in split_sentences(text)
        ]

    def _look(
        self, pairs: Sequence[tuple[str, str]], images: dict[str, ImageSource]
    ) -> list[Sight]:
        inputs = {key: InputImage(id=key, source=images[key], digest=key) for key, _ in pairs}
        if isinstance(self.detector, OpenVocabulary):
            regions = self.detector.find(
                [inputs[key] for key, _ in pairs], [name for _, name in pairs]
            )
            return [_sight(one) for one in regions]
        seen = dict(zip(inputs, self.detector(list(inputs.values())), strict=True))
        known = frozenset(self.detector.vocabulary)
        return [
            _sight([region for region in seen[key] if region.label == name])
            if not known or name in known
            else "unknown"
            for key, name in pairs
        ]

    def _rating(self, sentences: list[tuple[tuple[int, int], list[Sight]]]) -> Rating | None:
        spans = tuple(
            SpanScore(start=start, stop=stop, value=value)
            for (start, stop), sights in sentences
            if (value := self._mean(sights)) is not None
        )
        value = self._mean([sight for _, sights in sentences for sight in sights])
        return None if value is None else Rating(value=value, spans=spans)

    def _mean(self, sights: Sequence[Sight]) -> float | None:
        found, missing = sights.count("found"), sights.count("missing")
        if not found + missing:
            return None
        return (self.found * found - self.missing * missing) / (found + missing)


def _sight(regions: Sequence[Region]) -> Sight:
    if any(region.sure for region in regions):
        return "found"
    return "unknown" if regions else "missing"
