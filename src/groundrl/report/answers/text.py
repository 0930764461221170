"""An answer as pages show it: its text in parts, of which the phrases point at boxes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundrl.records import Grounding
from groundrl.report.page import MAX_CHARACTERS
from groundrl.report.pictures.image_view import MAX_BOXES

TAG = re.compile(r"(</?\w+>)")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """A piece of an answer outside of phrases."""

    is_phrase: ClassVar[bool] = False
    text: str
    is_tag: bool
    """Markup such as ``<think>``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhrasePart:
    """A piece of an answer that points at the box of this number, counted from 1."""

    is_phrase: ClassVar[bool] = True
    number: int
    before: str
    label: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerText:
    """The answer as it was written, in parts."""

    parts: list[TextPart | PhrasePart]
    characters_left: int
    """Beyond ``MAX_CHARACTERS``."""
    is_empty: bool
    """Whether the model wrote nothing but blanks."""


def split_text(
    text: str, groundings: Sequence[Grounding], spans: Sequence[tuple[int, int]]
) -> AnswerText:
    """``spans``: start and end in ``text`` of each of ``groundings``."""
    position = 0
    parts: list[TextPart | PhrasePart] = []
    phrases = zip(groundings[:MAX_BOXES], spans, strict=False)
    for number, (grounding, (start, end)) in enumerate(phrases, start=1):
        if end > MAX_CHARACTERS:
            break
        parts += _split_tags(text[position:start])
        before, label, after = text[start:end].partition(grounding.label)
        parts.append(PhrasePart(number=number, before=before, label=label, after=after))
        position = end
    rest = text[position : max(position, MAX_CHARACTERS)]
    return AnswerText(
        parts=[*parts, *_split_tags(rest)],
        characters_left=len(text) - position - len(rest),
        is_empty=not text.strip(),
    )


def _split_tags(text: str) -> Iterator[TextPart]:
    # The pattern has one group, so every second piece is a tag.
    for index, piece in enumerate(TAG.split(text)):
        if piece:
            yield TextPart(text=piece, is_tag=index % 2 == 1)
