"""What a caption says that boxes and pixels can bear out: nouns, numbers, colours, relations."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from groundrl.language.colors import COLOR_WORDS
from groundrl.language.numbers import NUMBERS
from groundrl.language.words import fold_case, plural
from groundrl.relations import Relation

_NUMBERS: Final = ("no", *NUMBERS[1:])
"""The number that a word of a caption means stands at its index."""
RELATION_WORDS: Final = {
    "to the left of": Relation.LEFT_OF,
    "on the left of": Relation.LEFT_OF,
    "left of": Relation.LEFT_OF,
    "to the right of": Relation.RIGHT_OF,
    "on the right of": Relation.RIGHT_OF,
    "right of": Relation.RIGHT_OF,
    "in front of": Relation.IN_FRONT_OF,
    "behind": Relation.BEHIND,
    "above": Relation.ABOVE,
    "below": Relation.BELOW,
    "beneath": Relation.BELOW,
    "under": Relation.BELOW,
    "on top of": Relation.ON,
    "on": Relation.ON,
    "next to": Relation.NEAR,
    "beside": Relation.NEAR,
    "near": Relation.NEAR,
}
"""What may be written -> the relation it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A place of a text that names objects."""

    noun: str
    """The class, in the singular."""
    color: str | None
    number: int | None
    """How many, where it says so; 0 for "no"; None for "a" and "the"."""
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
    """Everything that was understood of a text."""

    text: str
    mentions: tuple[Mention, ...]
    relations: tuple[StatedRelation, ...]
    sentences: tuple[tuple[int, int], ...]
    """Start and end of each."""

    def without_sentence(self, index: int) -> str:
        """The text with that sentence left out."""
        kept = [self.text[a:b].strip() for i, (a, b) in enumerate(self.sentences) if i != index]
        return " ".join(part for part in kept if part)

    def replaced(self, span: tuple[int, int], words: str) -> str:
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
"""What stands between a colour or number and a noun that it does not belong to: "dressed in red on
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
    what is said of pairs of them in one sentence."""
    sentences = tuple(match.span() for match in _SENTENCE.finditer(text))
    known = frozenset(noun for noun in nouns if noun)
    if not known:
        return Reading(text=text, mentions=(), relations=(), sentences=sentences)
    pattern, forms = _pattern(known)
    plain = fold_case(text)
    mentions = tuple(_mention(found, forms, sentences) for found in pattern.finditer(plain))
    return Reading(
        text=text, mentions=mentions, relations=_relations(plain, mentions), sentences=sentences
    )


def _mention(
    found: re.Match[str],
    forms: dict[str, tuple[str, bool]],
    sentences: tuple[tuple[int, int], ...],
) -> Mention:
    noun, many = forms[found["noun"]]
    number = found["number"]
    color = None if found["color"] is None else COLOR_WORDS[found["color"]]
    count = None
    if number is not None:
        count = int(number) if number.isdigit() else _NUMBERS.index(number)
    inside = [i for i, (start, end) in enumerate(sentences) if start <= found.start() < end]
    return Mention(
        noun=noun,
        color=color,
        number=count,
        plural=many,
        start=found.start(),
        end=found.end(),
        color_span=None if color is None else found.span("color"),
        number_span=None if number is None else found.span("number"),
        sentence=inside[0],
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
