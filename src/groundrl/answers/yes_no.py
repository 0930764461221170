"""Answers that mean yes or no, true or false."""

import re
from collections.abc import Sequence
from typing import Final

from groundrl.answers.wording import find_conclusions, hedges, strip_markup

YES_NO_WORDS: Final = {"true": True, "yes": True, "false": False, "no": False}
"""Words of a verdict."""
_WORDS: Final = {
    **YES_NO_WORDS,
    **{"yep": True, "yeah": True, "correct": True, "incorrect": False, "nope": False},
    **{"是": True, "是的": True, "对": True, "正确": True, "有": True},
    **{"否": False, "不": False, "不是": False, "错": False, "错误": False, "不正确": False},
    **{"不对": False, "没有": False},
}
_CLAUSE_END: Final = re.compile(r"[.,;:!?\n\u2013\u2014]+|\s-\s")
_STATED: Final = re.compile(
    r"(?:\b(?:statement|claim|caption|sentence|description|assertion)|^(?:it|this|that))"
    r"(?:\s+is|'s)\s+"
    r"(?:\w+ly\s+|therefore\s+|indeed\s+)?(?P<not>not\s+)?(?P<word>true|false|correct|incorrect)\b"
    r"(?!\s+or\b)",
    re.IGNORECASE,
)
_SENTENCE: Final = frozenset(
    {"is", "are", "isn", "aren", "it", "there", "this", "that", "does", "do", "has", "can", "i"}
)
"""Of these a sentence has one that goes on behind its verdict without a comma."""
_LONGEST_TURN: Final = 2
"""Words of a clause that takes a verdict back: "wait, no", "or no"."""


def asks_yes_no(options: Sequence[str]) -> bool:
    """Whether all options mean yes or no."""
    return (
        bool(options) and {option.strip(" .").lower() for option in options} <= YES_NO_WORDS.keys()
    )


def read_yes_no(text: str) -> bool | None:
    """Whether the answer is yes or true (True), or no or false (False).

    Its first word says so ("No, there is none."), or a sentence ("The statement is not true."), or
    what follows "the answer is". None where nothing or both is said ("Yes. Wait, no."), and for
    hedges ("yes, maybe").
    """
    parts = find_conclusions(text) or [strip_markup(text)]
    said = {_read_part(part) for part in parts}
    return said.pop() if len(said) == 1 else None


def _read_part(text: str) -> bool | None:
    if "<" in text or hedges(text):  # "<": a control token, or a tag of some other kind
        return None
    clauses = [re.findall(r"\w+", clause.lower()) for clause in _CLAUSE_END.split(text)]
    clauses = [words for words in clauses if words]
    said = {
        (_WORDS[found["word"].lower()] is not bool(found["not"]))
        for found in _STATED.finditer(text)
    }
    if clauses and clauses[0][0] in _WORDS:
        first = _WORDS[clauses[0][0]]
        said |= {first} | {_WORDS[w] for w in clauses[0][1:] if w in YES_NO_WORDS and w != "no"}
        if clauses[0][1:] and _SENTENCE.isdisjoint(clauses[0]):
            return None
        short = (words for words in clauses[1:] if len(words) <= _LONGEST_TURN)
        said |= {_WORDS[word] for words in short for word in words if word in YES_NO_WORDS}
        lone = (words[0] for words in clauses[1:] if len(words) == 1)
        if any(word not in _WORDS and not word.endswith("ly") for word in lone):
            return None
    return said.pop() if len(said) == 1 else None
