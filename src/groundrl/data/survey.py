"""What a set of samples holds, in figures: kinds, answers, boxes, images in two sets."""

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from groundrl.data.datasets import SampleSource
from groundrl.images import UnreadableImageError
from groundrl.records import Grounding, ImageSource, NamedImage, Sample

FOLDS: Final = 5
"""Parts of the samples, each guessed by what the others say."""
AREAS: Final = (0.0, 0.001, 0.01, 0.1, 0.5, 1.0)
"""Bounds of the classes of box sizes, shares of the area of the image."""
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSummary:
    """Of the samples of one kind of question."""

    kind: str
    count: int
    boxes: float
    """Mean per sample."""
    options: float
    """Mean per sample."""
    rationales: float
    """Share of the samples that have one."""
    common_answer: str
    common_share: float
    """Of the samples, that have the most common answer; 0 where none has an answer."""
    chance: float
    """Accuracy of an option drawn at random, where one is right; 0 without options."""
    text_only: float | None
    """Accuracy of ``guess_from_text``; None where no sample has one single answer."""


def draw_samples(source: SampleSource, most: int) -> list[Sample]:
    """All samples, or ``most`` of them, drawn evenly by a fixed seed, in their order."""
    if len(source) <= most:
        return [source[index] for index in range(len(source))]
    chosen = np.random.default_rng(0).choice(len(source), size=most, replace=False)
    return [source[int(index)] for index in sorted(chosen)]


def summarize_kinds(samples: Sequence[Sample]) -> list[KindSummary]:
    """One of each kind, the most frequent first."""
    guesses = guess_from_text(samples)
    by_kind: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        by_kind[sample.kind].append(index)
    return [
        _summarize_kind(kind, [samples[i] for i in found], [guesses[i] for i in found])
        for kind, found in sorted(by_kind.items(), key=lambda one: (-len(one[1]), one[0]))
    ]


def _summarize_kind(
    kind: str, samples: Sequence[Sample], guesses: Sequence[bool | None]
) -> KindSummary:
    answers = Counter(", ".join(sample.answers) for sample in samples if sample.answers)
    answer, count = answers.most_common(1)[0] if answers else ("", 0)
    choices = [len(sample.options) for sample in samples if len(sample.answers) == 1]
    known = [guess for guess in guesses if guess is not None]
    return KindSummary(
        kind=kind,
        count=len(samples),
        boxes=_mean([len(sample.groundings) for sample in samples]),
        options=_mean([len(sample.options) for sample in samples]),
        rationales=_mean([sample.rationale is not None for sample in samples]),
        common_answer=answer,
        common_share=count / len(samples),
        chance=_mean([1 / count if count else 0.0 for count in choices] or [0.0]),
        text_only=_mean(known) if known else None,
    )


def _mean(values: Sequence[int] | Sequence[float]) -> float:
    return sum(values) / len(values)


def guess_from_text(samples: Sequence[Sample]) -> list[bool | None]:
    """Whether a classifier that reads the question, and never sees the image, finds each answer.

    Naive Bayes over the words of the question with add-one smoothing; it chooses among the options,
    without options among all answers. Learned from the other four fifths, split by image. None for
    samples without one single answer. What it gets right above chance, a model can learn without
    looking.
    """
    single = [sample if len(sample.answers) == 1 else None for sample in samples]
    found: list[bool | None] = [None] * len(samples)
    folds = [_fold(sample) for sample in samples]
    for fold in range(FOLDS):
        model = _NaiveBayes()
        for sample, own in zip(single, folds, strict=True):
            if sample is not None and own != fold:
                model.learn(_words(sample.question), sample.answers[0])
        for index, (sample, own) in enumerate(zip(single, folds, strict=True)):
            if sample is not None and own == fold:
                guess = model.choose(_words(sample.question), sample.options or model.answers)
                found[index] = guess == sample.answers[0]
    return found


def _fold(sample: Sample) -> int:
    digest = hashlib.blake2b(sample.image.key.encode(errors="replace"), digest_size=4).digest()
    return int.from_bytes(digest, "big") % FOLDS


def _words(question: str) -> list[str]:
    return _WORD.findall(question.casefold())


class _NaiveBayes:
    """Counts of answers and of the words of their questions."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.words: dict[str, Counter[str]] = defaultdict(Counter)
        self.totals: Counter[str] = Counter()
        self.vocabulary: set[str] = set()

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers seen, the most frequent first."""
        return tuple(answer for answer, _ in self.counts.most_common())

    def learn(self, words: Sequence[str], answer: str) -> None:
        """Count a question with its answer."""
        self.counts[answer] += 1
        self.words[answer].update(words)
        self.totals[answer] += len(words)
        self.vocabulary.update(words)

    def choose(self, words: Sequence[str], answers: Sequence[str]) -> str | None:
        """The likeliest of these answers, the first of equal ones; None without any."""
        return max(answers, key=lambda answer: self._log_likelihood(words, answer), default=None)

    def _log_likelihood(self, words: Sequence[str], answer: str) -> float:
        seen, size = self.words.get(answer, Counter()), self.totals[answer] + len(self.vocabulary)
        each = (math.log((seen[word] + 1) / (size + 1)) for word in words)
        return math.log(self.counts[answer] + 1) + sum(each)


def count_areas(samples: Sequence[Sample]) -> list[int]:
    """How many boxes of the samples fall into each class of ``AREAS``."""
    shares = [
        item.box.area / (sample.image.width * sample.image.height)
        for sample in samples
        for item in all_groundings(sample)
        if sample.image.width and sample.image.height
    ]
    return np.histogram(shares, AREAS)[0].tolist()


def all_groundings(sample: Sample) -> list[Grounding]:
    """Of the sample, and those of its rationale that are not among them."""
    parts = (part for part in sample.rationale or () if isinstance(part, Grounding))
    return list(dict.fromkeys((*sample.groundings, *parts)))


def same_pixels(sets: Mapping[str, Sequence[Sample]]) -> list[tuple[str, ...]]:
    """Images of equal pixels that are asked about in more than one set, as ``set: key``.

    Every image is decoded once. Files of other names, or saved anew without loss, are found too. Of
    a ``NamedImage`` only the key is compared.
    """
    found: dict[bytes, dict[str, str]] = defaultdict(dict)
    for name, samples in sets.items():
        images = {sample.image.key: sample.image for sample in samples}
        for key, image in images.items():
            for digest in _digests(image):
                found[digest].setdefault(name, key)
    return [
        tuple(f"{name}: {key}" for name, key in places.items())
        for places in found.values()
        if len(places) > 1
    ]


def _digests(image: ImageSource) -> Iterator[bytes]:
    if isinstance(image, NamedImage):
        yield image.key.encode(errors="replace")
        return
    try:
        pixels = image.load().convert("RGB")
    except UnreadableImageError:
        return  # reading the data names it
    yield hashlib.blake2b(f"{pixels.size}".encode() + pixels.tobytes(), digest_size=16).digest()
