"""Class names as English words: "a dog", "an oven", "people", "skis"."""

from typing import Final

IRREGULAR: Final = {
    "broccoli": "broccoli",
    "child": "children",
    "fish": "fish",
    "foot": "feet",
    "goose": "geese",
    "knife": "knives",
    "leaf": "leaves",
    "man": "men",
    "mouse": "mice",
    "person": "people",
    "sheep": "sheep",
    "shelf": "shelves",
    "tooth": "teeth",
    "woman": "women",
}
PLURAL_ONLY: Final = frozenset({"glasses", "goggles", "pants", "scissors", "shorts", "skis"})


def is_plural(name: str) -> bool:
    """Whether one object of this class is already spoken of in the plural ("scissors")."""
    return name.lower().split()[-1] in PLURAL_ONLY


def plural(name: str) -> str:
    """ "wine glass" -> "wine glasses", "person" -> "people", "skis" -> "skis"."""
    head, _, word = name.rpartition(" ")
    lower = word.lower()
    if is_plural(name):
        many = word
    elif lower in IRREGULAR:
        many = IRREGULAR[lower]
    elif lower.endswith(("s", "x", "z", "ch", "sh")):
        many = f"{word}es"
    elif lower.endswith("y") and lower[-2:-1] not in set("aeiou"):
        many = f"{word[:-1]}ies"
    else:
        many = f"{word}s"
    return f"{head} {many}" if head else many


def with_article(name: str) -> str:
    """ "dog" -> "a dog", "oven" -> "an oven", "skis" -> "skis"."""
    if is_plural(name):
        return name
    return f"{'an' if name[:1].lower() in set('aeiou') else 'a'} {name}"


def verb_be(name: str) -> str:
    """ "is" or "are", for one object of this class."""
    return "are" if is_plural(name) else "is"


def fold_case(text: str) -> str:
    """Without the difference of capitals, character by character: equal length, and so equal
    places. "ſ" is an "s"; what would become two characters ("İ", "ß") stays one."""
    return "".join(
        next((one for one in (c.casefold(), c.lower()) if len(one) == 1), c) for c in text
    )
