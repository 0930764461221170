"""What a caption says that boxes and pixels can confirm: nouns, numbers, colours, relations."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from groundrl.language.colors import COLOR_WORDS
from groundrl.language.numbers import NUMBERS
from groundrl.language.words import fold_case, plural
from groundrl.relations import RELATION_WORDS, Relation

_NUMBERS: Final = ("no", *NUMBERS[1:])
"""The number that a word of a caption means stands at its index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A place of a text that names objects."""

    noun: str
    """The class, in the singular."""
    color: str | None
    number: int | None
    """How many, where the text gives a number; 0 for "no"; None for "a" and "the"."""
    plural: bool
    start: int
    """Of the number, the colour or the noun, whichever comes first; in characters."""
    end: int
    color_span: tuple[int, int] | None
    number_span: tuple[int, int] | None
    sentence: int
    """Index of its sentence."""

    @property
    def is_single(self) -> bool:
        """Whether it names one object: "a cup", "the cup", "one cup"."""
        return not self.plural and self.number in (None, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedRelation:
    """ "A cup is left of a box": a relation between two mentions."""

    subject: Mention
    relation: Relation
    object: Mention
    start: int
    """Of the words of the relation, in characters."""
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A text with the mentions and relations found in it."""

    text: str
    mentions: tuple[Mention, ...]
    relations: tuple[StatedRelation, ...]
    sentences: tuple[tuple[int, int], ...]
    """Start and end of each."""

    def without_sentence(self, index: int) -> str:
        """The text with that sentence left out."""
        left = [self.text[a:b].strip() for i, (a, b) in enumerate(self.sentences) if i != index]
        return " ".join(part for part in left if part)

    def replace(self, span: tuple[int, int], words: str) -> str:
        """The text with other words at ``span``."""
        return self.text[: span[0]] + words + self.text[span[1] :]


def split_label(label: str) -> tuple[str | None, str]:
    """Colour and class of a label: "red cup" -> ("red", "cup"), "wine glass" -> (None, …)."""
    words = fold_case(label.strip())
    head, _, rest = words.partition(" ")
    if rest and head in COLOR_WORDS:
        return COLOR_WORDS[head], rest
    return None, words


_LINKS: Final = "|".join(
    (
        *("a", "above", "against", "an", "and", "are", "as", "at", "behind", "below", "beneath"),
        *("beside", "by", "for", "from", "has", "her", "his", "holding", "in", "inside", "is"),
        *("its", "near", "next", "of", "on", "onto", "or", "over", "riding", "that", "the"),
        *("their", "to", "under", "while", "with"),
    )
)
"""Words that separate a colour or number from a noun that it does not belong to: "dressed in red on
a bicycle"."""
_FILLER: Final = rf"(?:(?!(?:{_LINKS})\s)[a-z]+\s+)??"
_SENTENCE: Final = re.compile(r"[^.!?]*[.!?]+\s*|[^.!?]+$")
_RELATIONS: Final = "|".join(sorted(RELATION_WORDS, key=len, reverse=True))
_GAP: Final = re.compile(
    rf"^(?P<again>\W*and\s+)?\W*(?:\w+\s+){{0,2}}?(?P<words>{_RELATIONS})\s+(?:an?|the)?\s*$"
)


@lru_cache(maxsize=4096)
def _pattern(nouns: frozenset[str]) -> tuple[re.Pattern[str], dict[str, tuple[str, bool]]]:
    forms: dict[str, tuple[str, bool]] = {}
    for noun in sorted(nouns):
        forms[fold_case(plural(noun))] = (noun, True)
    for noun in sorted(nouns):  # a singular wins: "skis", "glasses"
        forms[fold_case(noun)] = (noun, False)
    words = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    colors = "|".join(COLOR_WORDS)
    numbers = "|".join(_NUMBERS)
    pattern = re.compile(
        rf"\b(?:(?P<number>{numbers}|\d{{1,9}})\s+{_FILLER})?"
        rf"(?:(?P<color>{colors})\s+{_FILLER})?(?P<noun>{words})\b"
    )
    return pattern, forms


def parse_caption(text: str, nouns: Iterable[str]) -> Reading:
    """Mentions of ``nouns`` (singular; capitals make no difference, the longest match wins), and
    the relations between neighbouring ones of one sentence."""
    sentences = tuple(match.span() for match in _SENTENCE.finditer(text))
    known = frozenset(noun for noun in nouns if noun)
    if not known:
        return Reading(text=text, mentions=(), relations=(), sentences=sentences)
    pattern, forms = _pattern(known)
    plain = fold_case(text)
    starts = [start for start, _ in sentences]
    mentions = tuple(_mention(found, forms, starts) for found in pattern.finditer(plain))
    return Reading(
        text=text, mentions=mentions, relations=_relations(plain, mentions), sentences=sentences
    )


def _mention(
    found: re.Match[str],
    forms: dict[str, tuple[str, bool]],
    sentence_starts: list[int],
) -> Mention:
    noun, many = forms[found["noun"]]
    number = found["number"]
    color = None if found["color"] is None else COLOR_WORDS[found["color"]]
    count = None
    if number is not None:
        count = int(number) if number.isdigit() else _NUMBERS.index(number)
    return Mention(
        noun=noun,
        color=color,
        number=count,
        plural=many,
        start=found.start(),
        end=found.end(),
        color_span=None if color is None else found.span("color"),
        number_span=None if number is None else found.span("number"),
        sentence=bisect_right(sentence_starts, found.start()) - 1,
    )


def _relations(text: str, mentions: tuple[Mention, ...]) -> tuple[StatedRelation, ...]:
    found: list[StatedRelation] = []
    for first, second in pairwise(mentions):
        gap = _GAP.match(text[first.end : second.start])
        if gap is None or first.sentence != second.sentence:
            continue
        subject = first
        if gap["again"]:  # "A is left of B and behind C" speaks of A twice
            if not found or found[-1].object is not first:
                continue
            subject = found[-1].subject
        start, end = (first.end + place for place in gap.span("words"))
        relation = RELATION_WORDS[gap["words"]]
        found.append(
            StatedRelation(subject=subject, relation=relation, object=second, start=start, end=end)
        )
    return tuple(found)
