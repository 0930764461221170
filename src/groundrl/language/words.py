"""Class names as English words: "a dog", "an oven", "people", "skis"."""

import re
from collections.abc import Iterator
from typing import Final

_SAME: Final = frozenset({"broccoli", "fish", "series", "sheep", "species"})
"""Words that are their own plural; one of them takes "a"."""
_IRREGULAR: Final = {
    **{word: word for word in _SAME},
    "child": "children",
    "foot": "feet",
    "goose": "geese",
    "knife": "knives",
    "leaf": "leaves",
    "man": "men",
    "mouse": "mice",
    "person": "people",
    "shelf": "shelves",
    "tooth": "teeth",
    "woman": "women",
}
_SINGULARS: Final = {
    **{many: one for one, many in _IRREGULAR.items()},
    **{"cacti": "cactus", "fungi": "fungus", "dice": "die", "oxen": "ox", "radii": "radius"},
}
_PLURALS: Final = frozenset(_IRREGULAR.values()) - _SAME | {"cacti", "skis", "taxis", "menus"}
_SINGULARS_IN_S: Final = frozenset(
    {"atlas", "biceps", "canvas", "gas", "lens", "news", "pancreas", "rhinoceros", "thermos"}
)


_PREPOSITION: Final = re.compile(r"\s(?:at|for|from|in|of|on|to|with|without)\s")


def head_noun(name: str) -> str:
    """What comes before a preposition: "bottle" of "bottle of water"."""
    return _PREPOSITION.split(name, maxsplit=1)[0]


def is_plural(name: str) -> bool:
    """Whether a class name is a plural already: "scissors", "Platelets", "people", "men at work".

    What counts is the last word before a preposition. In "s" it is a plural unless it ends in "ss",
    "us" or "is" (glass, bus, iris) or is one of a few known singulars (lens).
    """
    words = head_noun(name.lower()).split()
    word = words[-1] if words else ""
    if word in _PLURALS:
        return True
    return (
        word.endswith("s")
        and not word.endswith(("ss", "us", "is"))
        and word not in _SINGULARS_IN_S | _SAME
    )


def plural(name: str) -> str:
    """ "wine glass" -> "wine glasses", "man at work" -> "men at work"; a plural stays as it is."""
    if is_plural(name):
        return name
    noun = head_noun(name)
    head, _, word = noun.rpartition(" ")
    lower = word.lower()
    if lower in _IRREGULAR:
        many = _IRREGULAR[lower]
    elif lower.endswith(("s", "x", "z", "ch", "sh")):
        many = f"{word}es"
    elif lower.endswith("y") and lower[-2:-1] not in set("aeiou"):
        many = f"{word[:-1]}ies"
    else:
        many = f"{word}s"
    return (f"{head} {many}" if head else many) + name[len(noun) :]


def singulars(word: str) -> Iterator[str]:
    """What a lower-case word may be the plural of by its letters: "dishes" -> "dishe", "dish". Not
    all of them are words."""
    if word in _SINGULARS:
        yield _SINGULARS[word]
    if word.endswith("men"):
        yield f"{word[:-3]}man"
    if word.endswith("ies"):
        yield f"{word[:-3]}y"
    if word.endswith("ves"):
        yield f"{word[:-3]}f"
        yield f"{word[:-3]}fe"
    if word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]
    if word.endswith("es"):
        yield word[:-2]
    if word.endswith("zzes"):
        yield word[:-3]


def article(name: str) -> str:
    """ "a ", "an ", or nothing before a plural; abbreviations are spelt: "an RBC", "a USB"."""
    if is_plural(name):
        return ""
    first = (name.split() or [""])[0]
    spelt = len(first) > 1 and first.isupper()
    return "an " if first[:1].lower() in set("aefhilmnorsx" if spelt else "aeiou") else "a "


def with_article(name: str) -> str:
    """ "dog" -> "a dog", "oven" -> "an oven", "skis" -> "skis"."""
    return article(name) + name


def verb_be(name: str) -> str:
    """ "is" or "are", for one object of this class."""
    return "are" if is_plural(name) else "is"


def fold_case(text: str) -> str:
    """Lower case, character by character: the result has the same length, so that places in it are
    places in ``text``. "ſ" becomes "s"; a letter that would become two ("İ", "ß") stays one."""
    if text.isascii():
        return text.lower()
    return "".join(
        next((one for one in (c.casefold(), c.lower()) if len(one) == 1), c) for c in text
    )
