"""Names of classes, as annotation files have them, become nouns: "TrafficLights" -> "traffic
light"."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final

from groundrl.language.lexicon import Lexicon
from groundrl.language.synonyms import EQUAL
from groundrl.language.words import head_noun, is_plural, singulars, with_article

PAIRS: Final = frozenset({"earphones", "headphones", "pliers", "skis"})
"""Plurals that name one thing, beside those that the lexicon holds (scissors, jeans)."""
WORN: Final = frozenset(
    (
        *("apron", "boot", "coat", "coverall", "ear protection", "face shield", "gear", "glass"),
        *("glasses", "glove", "goggle", "goggles", "gown", "hairnet", "hard hat", "hardhat", "hat"),
        *("harness", "helmet", "jacket", "life jacket", "mask", "ppe", "seat belt", "seatbelt"),
        *("shoe", "suit", "uniform", "vest"),
    )
)
"""What a class such as "no_helmet" says that a person lacks."""
_FUSED: Final = {
    **{word.replace(" ", ""): word for group in EQUAL for word in group if " " in word},
    "tvmonitor": "tv monitor",
}
_BETWEEN: Final = re.compile(r"[\s_./\\|:]+|(?<=[^\W\d_]{2})-(?=[^\W\d_]{2})")
_CAMEL: Final = re.compile(r"(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Z]{2})(?=[A-Z][a-z]{2})")
_LACKS: Final = re.compile(r"(?:no|non|not wearing|without)[ -](.+)")
_REMARK: Final = re.compile(r"\s*\([^()]*\)")
_NUMBER: Final = re.compile(r"(?<=[^\W\d_]{3})[ -]?\d+$")


def nouns_of(names: Sequence[str]) -> dict[str, str | None]:
    """The noun of each class of a list, in the singular and without signs between words; None for a
    class that names no thing ("no_damage").

    Words become lower case, except abbreviations in a list that has small letters as well (RBC).
    A number at the end and a remark in parentheses go, unless they tell classes apart. Names that
    differ only in signs, capitals and number share a noun: "Cat", "cats".
    """
    shouted = not any(c.islower() for name in names for c in name)
    plain = {name: _words(name, shouted) for name in names}
    for shorten in (_without_remark, _without_number):
        plain = _shortened(plain, shorten)
    singular = {name: _singular(words) for name, words in plain.items()}
    found = {name: _lacking(words) for name, words in singular.items()}
    # Of "Cat", "CAT" and "cat" the one with the most small letters stands for all.
    by_key: dict[str, str] = {}
    for noun in sorted(filter(None, found.values()), key=lambda noun: sum(map(str.isupper, noun))):
        by_key.setdefault(noun.casefold(), noun)
    return {name: noun and by_key[noun.casefold()] for name, noun in found.items()}


def _words(name: str, shouted: bool) -> str:
    """Words with blanks between them."""
    words = _CAMEL.sub(" ", _BETWEEN.sub(" ", name.strip())).split()
    if not words:
        return name
    text = " ".join(w if _is_abbreviation(w, shouted) else w.lower() for w in words)
    return _FUSED.get(text, text)


def _is_abbreviation(word: str, shouted: bool) -> bool:
    """Whether a word is written in capitals for another reason than emphasis; in a list of capitals
    only: whether it has no vowels."""
    letters = word.removesuffix("s")
    if len(letters) < 2 or not letters.isupper():
        return False
    return not set(letters) & set("AEIOUY") if shouted else True


def _without_remark(words: str) -> str:
    return _REMARK.sub("", words).strip() or words


def _without_number(words: str) -> str:
    return _NUMBER.sub("", words)


def _shortened(plain: Mapping[str, str], shorten: Callable[[str], str]) -> dict[str, str]:
    """Each name shortened, unless that makes it the same as another one."""
    short = {name: shorten(words) for name, words in plain.items()}
    # A name that stays as it is counts once, and one that changes counts as both.
    times = Counter(
        key
        for name, words in plain.items()
        for key in {_singular(words).casefold(), _singular(short[name]).casefold()}
    )
    return {
        name: short[name] if times[_singular(short[name]).casefold()] == 1 else words
        for name, words in plain.items()
    }


def _lacking(words: str) -> str | None:
    """ "no helmet" -> "person without a helmet"; None for what else is not there."""
    match = _LACKS.fullmatch(words.lower())
    if match is None:
        return words
    what = _singular(match[1])
    worn = what in WORN or what.rpartition(" ")[2] in WORN
    return f"person without {with_article(what)}" if worn else None


@cache
def _lexicon() -> Lexicon:
    return Lexicon()


@cache
def _singular(words: str) -> str:
    """The singular of the head noun: "men at work" -> "man at work"."""
    head = head_noun(words)
    before, _, last = head.rpartition(" ")
    if not is_plural(head) or last.lower() in PAIRS:
        return words
    if last[:-1].isupper():
        return f"{before} {last[:-1]}".strip() + words[len(head) :]
    last_two = " ".join(head.split()[-2:])
    two = _lexicon().singular(last_two) if " " in last_two else None
    one = _lexicon().singular(last) or next(iter(singulars(last)), last)
    one = two.rpartition(" ")[2] if two else one
    return f"{before} {one}".strip() + words[len(head) :]
