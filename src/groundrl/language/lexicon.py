"""The nouns that a detector can look for: those of ``assets/nouns.txt``."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from groundrl.language.words import singulars

NEVER: Final = frozenset(
    (
        *("product", "structure", "equipment", "device", "piece", "member", "human", "body", "art"),
        *("hallway", "hotel", "mall", "surface", "frame", "airline", "load", "main", "overall"),
        *("back", "must", "cover", "landing", "cross", "match", "lense", "forward"),
        *("denim", "silk", "velvet", "wool", "linen", "satin", "lace"),
    )
)
"""Nouns of the file that no box shows, and words that seldom mean the thing that they could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How often a word is a noun."""

    share: int = 100
    """Share of its uses, in per cent."""
    is_verb: bool = False
    """Whether it can be a verb as well."""
    is_adjective: bool = False
    """Whether it can be an adjective as well."""


class Lexicon:
    """Names of things, single words and compounds of two."""

    def __init__(self, *, also: Iterable[str] = (), never: Iterable[str] = ()) -> None:
        """``also`` and ``never``: nouns in the singular that join and leave the package's own."""
        self._uses = {**_shipped(), **{noun.lower(): Use() for noun in also}}
        for noun in never:
            self._uses.pop(noun.lower(), None)

    def singular(self, words: str) -> str | None:
        """The noun that lower-case words are, in the singular: "fire hydrants" -> "fire hydrant";
        None if the lexicon has no such noun."""
        if words in self._uses:
            return words
        head, _, last = words.rpartition(" ")
        for one in singulars(last):
            noun = f"{head} {one}" if head else one
            if noun in self._uses:
                return noun
        return None

    def use(self, noun: str) -> Use:
        """How often a noun of the lexicon is one."""
        return self._uses[noun]


@cache
def _shipped() -> dict[str, Use]:
    """The nouns of the package."""
    uses: dict[str, Use] = {}
    lines = (files("groundrl") / "assets" / "nouns.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("#"):
            continue
        word, _, use = line.partition(" ")
        uses[word.replace("_", " ")] = (
            Use(
                share=int(use.rstrip("va")),
                is_verb="v" in use,
                is_adjective="a" in use,
            )
            if use
            else Use()
        )
    return {noun: use for noun, use in uses.items() if noun not in NEVER}
