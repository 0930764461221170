"""Which spatial relations does reasoning state between the objects that it points at?

Read by rule from sentences such as "The <cup> is left of the <lamp>.", "The <cup> and the <box> are
not behind the <lamp>.", "I see the <cup> left of the <lamp> and below the <shelf>.", "Look at the
<lamp>: the <cup> is left of it." and "Right of the <lamp> I see the <cup>." A sentence that is put
in another way, a question, and what is said with "if" or "or" state nothing here.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from groundrl.language.negation import negates
from groundrl.language.splitting import split_sentences
from groundrl.language.words import fold_case
from groundrl.records import Grounding, Segments
from groundrl.relations import RELATION_WORDS, Relation

_BOX: Final = "\ufffc"
"""Stands for a phrase with its box in a text."""
_PLACED: Final = frozenset(Relation) - {Relation.NEAR, Relation.ON}
"""Relations that boxes can bear out."""
_WORDS: Final = "|".join(
    sorted((w for w, r in RELATION_WORDS.items() if r in _PLACED), key=len, reverse=True)
)
_THE: Final = r"(?:an?\s+|the\s+)?"
_BETWEEN: Final = re.compile(
    rf"\W*(?P<again>and\s+)?(?P<verb>(?:[a-z']+\s+){{0,3}}?)(?P<words>{_WORDS})\s+{_THE}"
)
"""Between the two objects of a relation."""
_TO_IT: Final = re.compile(
    rf"\W*(?P<verb>(?:[a-z']+\s+){{0,3}}?)(?P<words>{_WORDS})\s+(?:it|them)\b"
)
"""Behind the subjects of a relation to what was pointed at first."""
_FRONT: Final = re.compile(rf"(?:^|\s)(?P<words>{_WORDS})\s+{_THE}$")
"""Before the object of a relation whose subjects follow it."""
_AFTER_FRONT: Final = re.compile(
    rf"\s*[,:]?\s*(?:there\s+)?(?:(?:i|we|you)\s+)?(?:(?:is|are|see|count|find)\s*:?\s*)?{_THE}"
)
"""Between the two."""
_AND: Final = re.compile(rf"\s*(?:,\s*(?:and\s+)?|and\s+){_THE}")
"""Between the members of a list."""
_RELATION: Final = re.compile(rf"\b(?:{'|'.join(RELATION_WORDS)})\b")
_IS: Final = re.compile(r"\s*(?:is|are)\b")
_OPEN: Final = frozenset({"either", "if", "maybe", "or", "perhaps", "whether"})
"""Words with which a sentence states nothing."""
_LONGEST_GAP: Final = 80
"""Characters between two objects of one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRelation:
    """ "The <cup> is left of the <lamp>", or, where it is denied, "... is not left of ..."."""

    subject: Grounding
    relation: Relation
    object: Grounding
    denied: bool


def read_relations(reasoning: Segments) -> Iterator[ObjectRelation]:
    """Every relation that is stated, in reading order."""
    phrases = [part for part in reasoning if isinstance(part, Grounding)]
    parts = (_BOX if isinstance(p, Grounding) else p.replace(_BOX, " ") for p in reasoning)
    text = fold_case("".join(parts)).replace("\u2019", "'")
    before, position = 0, 0
    for start, end in split_sentences(text):
        before += text.count(_BOX, position, start)
        position = start
        gaps = text[start:end].split(_BOX)
        if not text[start:end].endswith("?") and _OPEN.isdisjoint(_words(text[start:end])):
            for subject, found, object_ in _read_sentence(gaps):
                yield ObjectRelation(
                    subject=phrases[before + subject],
                    relation=RELATION_WORDS[found["words"]],
                    object=phrases[before + object_],
                    denied=any(negates(word) for word in _words(found.groupdict().get("verb"))),
                )


Statement = tuple[int, re.Match[str], int]
"""Subject, words and object; objects are counted from 0 within the sentence."""


def _read_sentence(gaps: Sequence[str]) -> Iterator[Statement]:
    """``gaps[i]`` stands before object i, the last one behind all objects."""
    yield from _stated_in_front(gaps)
    subjects: Sequence[int] = ()
    last_object = -1
    for i in range(1, len(gaps)):
        gap = gaps[i][:_LONGEST_GAP]
        found = _BETWEEN.fullmatch(gap) if gap == gaps[i] and i < len(gaps) - 1 else None
        if found is not None:
            if not found["again"]:
                subjects = _list_before(gaps, i, last_object, found["verb"])
            elif last_object != i - 1:
                subjects = ()
            last_object = i
            yield from ((one, found, i) for one in subjects)
        elif last_object < 0 and (found := _TO_IT.match(gap)):
            # Later in the sentence, "it" may be another object.
            last_object = 0
            yield from _stated_of_first(gaps, i, found)


def _list_before(gaps: Sequence[str], end: int, object_before: int, verb: str) -> Sequence[int]:
    """The objects of "A, B and C are", "I see A and B", or the one of "A is", up to ``end``; none
    where they are denied."""
    start = end - 1
    while start - 1 > object_before and "is" not in _words(verb) and _AND.fullmatch(gaps[start]):
        start -= 1
    denied = any(negates(word) for word in _words(gaps[start])[-2:])
    return () if denied else range(start, end)


def _stated_of_first(gaps: Sequence[str], end: int, found: re.Match[str]) -> Iterator[Statement]:
    """ "Look at the L: the A and the B are left of it": all objects but the first are subjects."""
    listed = all(_AND.fullmatch(gap) for gap in gaps[2:end])
    verb_fits = "is" not in _words(found["verb"]) or end == 2
    if end > 1 and listed and verb_fits and not _RELATION.search(gaps[1]):
        yield from ((one, found, 0) for one in range(1, end))


def _stated_in_front(gaps: Sequence[str]) -> Iterator[Statement]:
    """ "Left of the L I see the A and the B"."""
    found = _FRONT.search(gaps[0])
    if found is None or len(gaps) < 3 or not _AFTER_FRONT.fullmatch(gaps[1][:_LONGEST_GAP]):
        return
    if any(negates(word) or word == "nothing" for word in _words(gaps[0])):
        return
    end = 2
    while end < len(gaps) - 1 and _AND.fullmatch(gaps[end]):
        end += 1
    # "Left of the L is the A, and the B is red."
    end = 2 if _IS.match(gaps[end]) else end
    yield from ((one, found, 0) for one in range(1, end))


def _words(text: str | None) -> list[str]:
    return re.findall(r"[a-z']+", text or "")
