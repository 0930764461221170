"""How good a completion is, measured without any reward.

Written apart from the reward terms on purpose: a term that reads an answer wrongly would otherwise
judge itself. Only the matching of boxes is shared (``groundrl.boxes``).
"""

import re
from collections.abc import Mapping

from groundrl.answers.attempt import Attempt, score_boxes
from groundrl.boxes import match, matched_iou
from groundrl.prompts import LETTERS
from groundrl.records import Grounding, Sample

ANSWERS, BOXES, LABELS, FORMAT = "answers", "groundings", "labels", "format"
REASONING, COLORS, RELATIONS = "reasoning", "colors", "relations"
OBJECTS, SENTENCES = "objects", "sentences"
"""Aspects of a completion: what reward terms measure, and in what a cheat is worse; the last two of
a caption: what it names, and what it says."""
IN_WORDS = frozenset({REASONING, COLORS, RELATIONS, OBJECTS, SENTENCES})
"""Those without a figure here: the bank believes what a cheat declares."""

MARGIN = 0.02
"""A completion is worse in an aspect when it is that much lower: less than half a step of those
(0.05) in which average precision counts IoU."""

Quality = Mapping[str, float]
"""In [0, 1], by aspect; without those that the sample says nothing about, and without those in
words."""

_WORD = re.compile(r"\w+")


def measure(attempt: Attempt) -> Quality:
    """``answers`` and ``format`` are 0 or 1; ``groundings`` is the recall-aware mean IoU of matched
    boxes, ``labels`` the share of boxes that match one of the same label."""
    sample = attempt.sample
    points = any(isinstance(part, Grounding) for part in attempt.parsed.reasoning)
    quality = {FORMAT: float(attempt.parsed.well_formed and (points or not sample.groundings))}
    if sample.answers:
        quality[ANSWERS] = float(says_exactly(attempt.parsed.answer, sample))
    boxes = score_boxes(attempt, matched_iou)
    if boxes is not None:
        quality[BOXES] = boxes
    if sample.groundings:
        quality[LABELS] = _share_of_equal_labels(attempt)
    return quality


def find_shortfalls(quality: Quality, other: Quality) -> frozenset[str]:
    """The aspects in which ``quality`` is worse than ``other``, by ``MARGIN``."""
    return frozenset(
        aspect for aspect in quality.keys() & other.keys() if is_below(quality, other, aspect)
    )


def is_below(quality: Quality, other: Quality, aspect: str) -> bool:
    """Whether ``quality`` is lower in this aspect by ``MARGIN``."""
    return quality[aspect] <= other[aspect] - MARGIN


def says_exactly(text: str | None, sample: Sample) -> bool:
    """Whether the words of the answer are those of the right options, in any order and whatever
    stands between them, or their letters, or both; of an open question, those of one accepted
    answer."""
    words = _words(text or "")
    if not sample.options:
        return any(words == _words(answer) for answer in sample.answers)
    right = frozenset[str]().union(*(_words(answer) for answer in sample.answers))
    letters = {
        letter.casefold()
        for letter, option in zip(LETTERS, sample.options, strict=False)
        if option in sample.answers
    }
    return words in (right, letters, right | letters)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold())) - {"and"}


def _share_of_equal_labels(attempt: Attempt) -> float:
    predicted, true = attempt.parsed.groundings, attempt.sample.groundings
    pairs = match([one.box for one in predicted], [one.box for one in true])
    equal = sum(
        predicted[pair.predicted].label.casefold() == true[pair.true].label.casefold()
        for pair in pairs
    )
    return equal / max(len(predicted), len(true))
