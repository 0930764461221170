"""CHAIR (arXiv 1809.02156): which of the objects that a caption names are not in the image?"""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise
from groundrl.evaluation.benchmarks.base import (
    UNPARSED,
    Figures,
    ScoredAttempt,
    figures_of_sums,
    image_keys,
    ratio,
    score_column,
    share,
)
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.language.markup import without_boxes
from groundrl.records import Form, Grounding

_WORD = re.compile(r"[a-z]+")


class Vocabulary:
    """Words that name objects. Longer names win: "hot dog" is no dog."""

    def __init__(self, words: Mapping[str, str]) -> None:
        """``words``: what may be written, lower case -> the class it names; "" names none."""
        self._words = {tuple(word.split()): name for word, name in words.items()}
        self._longest = max(map(len, self._words))

    def mentions(self, text: str) -> list[str]:
        """The classes that a text names, in order, each as often as it is named."""
        words = _WORD.findall(text.lower())
        found: list[str] = []
        place = 0
        while place < len(words):
            for length in range(min(self._longest, len(words) - place), 0, -1):
                name = self._words.get(tuple(words[place : place + length]))
                if name is not None:
                    found += [name] if name else []
                    place += length
                    break
            else:
                place += 1
        return found


def caption_text(attempt: Attempt) -> str:
    """The caption: the answer with the reasoning before it, boxes written as their labels."""
    parsed = attempt.parsed
    if parsed.answer is None and not parsed.reasoning:
        return without_boxes(attempt.completion.text)
    parts = [part.label if isinstance(part, Grounding) else part for part in parsed.reasoning]
    return " ".join([*parts, without_boxes(parsed.answer or "")])


class Captions:
    """CHAIR's protocol: the objects that a caption names, against those in the image."""

    __slots__ = ()
    form: ClassVar[Form] = Form.TEXT
    figure_infos: ClassVar[FigureInfos] = {
        "chair_i": FigureInfo(
            meaning="Share of named objects that are not in the image.", quoted=True
        ),
        "chair_s": FigureInfo(meaning="Share of captions that name such an object.", quoted=True),
        "recall": FigureInfo(meaning="Share of the classes in the image that the caption names."),
        "unparsed": UNPARSED,
    }
    vocabulary: ClassVar[Vocabulary]

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Mentions, and how many of them name classes that are not in the image (the classes in it
        are ``Sample.answers``)."""
        text = caption_text(attempt)
        mentions = self.vocabulary.mentions(text)
        there = set(attempt.sample.answers)
        return {
            "mentions": float(len(mentions)),
            "invented": float(sum(name not in there for name in mentions)),
            "found": float(len(there.intersection(mentions))),
            "objects": float(len(there)),
            "said": float(bool(normalise(text))),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``."""
        names = ("invented", "mentions", "found", "objects")
        return {
            **figures_of_sums(
                {
                    "chair_i": lambda s: ratio(s[:, 0], s[:, 1]),
                    "recall": lambda s: ratio(s[:, 2], s[:, 3]),
                },
                np.stack([score_column(answered, name) for name in names], axis=1),
                image_keys(answered),
            ),
            **share("chair_s", score_column(answered, "invented") > 0),
            **share("unparsed", 1 - score_column(answered, "said")),
        }
