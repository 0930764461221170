"""Words that deny."""

from typing import Final

_NEGATIONS: Final = frozenset({"no", "not", "none", "never", "cannot", "neither", "nor", "without"})


def negates(word: str) -> bool:
    """Whether a word in lower case denies what follows it: "not", "isn't"."""
    return word in _NEGATIONS or word.endswith("n't")
