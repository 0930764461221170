"""The things that a text says are in the image: which nouns a detector should look for."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from groundrl.language.lexicon import Lexicon
from groundrl.language.noun_context import (
    FUNCTION_WORDS,
    Candidate,
    Token,
    blank_markup,
    is_denied,
    is_english,
    is_noun,
    read_tokens,
    repeated_label,
)
from groundrl.language.synonyms import usual_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """A thing, and where the text names it."""

    start: int
    """Where the noun begins; of "a red fire hydrant" that is the "f"."""
    stop: int
    """Behind its last letter."""
    name: str
    """Lower case, singular, the usual one of its synonyms: "couch" for "sofas"."""


@runtime_checkable
class NounFinder(Protocol):
    """Finds the nouns of a text."""

    def __call__(self, text: str) -> list[Noun]:
        """The nouns in the order of the text, none within another."""
        ...


class LexiconNouns:
    """Nouns of a lexicon, told from verbs and adjectives by the words around them.

    Of neighbouring nouns the last one counts: "a pizza box" shows no pizza. What the text denies
    ("no cars", "without a hat") is left out. English only: in other languages it finds nothing.
    """

    def __init__(self, *, also: Iterable[str] = (), never: Iterable[str] = ()) -> None:
        """``also`` and ``never``: nouns in the singular that join and leave the lexicon."""
        self._lexicon = Lexicon(also=also, never=never)

    def __call__(self, text: str) -> list[Noun]:
        """The nouns in the order of the text, none within another. Takes linear time."""
        tokens = read_tokens(blank_markup(text))
        return collect_nouns(tokens, self._lexicon, is_noun) if is_english(tokens) else []


def collect_nouns(
    tokens: Sequence[Token],
    lexicon: Lexicon,
    decide: Callable[[Sequence[Token], Candidate], bool],
) -> list[Noun]:
    """The nouns of the lexicon among the words of a text; ``decide`` tells where they are nouns."""
    found: list[Noun] = []
    place, end = 0, -1
    number: Literal["", "one", "many"] = ""
    denied = False
    while place < len(tokens):
        place = repeated_label(tokens, place)
        if place == len(tokens):
            break
        noun, stop = _longest(tokens, place, lexicon)
        if not noun:
            place += 1
            continue
        before, last = tokens[place].before, tokens[stop - 1]
        is_next = place == end and before == tokens[end - 1].word
        is_listed = place == end + 1 and before in ("and", "or", "nor")
        is_plural = not noun.endswith(last.word)
        candidate = Candidate(
            place=place,
            stop=stop,
            use=lexicon.use(noun),
            is_plural=is_plural,
            after=number if is_next else "",
            is_listed=is_listed,
        )
        if not decide(tokens, candidate):
            place += 1
            continue
        if is_next and number == "one" and not denied:
            found.pop()
        denied = is_denied(tokens, place) or (denied and is_listed)
        if not denied:
            name = usual_name(noun)
            found.append(Noun(start=tokens[place].start, stop=last.stop, name=name))
        place, end, number = stop, stop, "many" if is_plural else "one"
    return found


def _longest(tokens: Sequence[Token], place: int, lexicon: Lexicon) -> tuple[str | None, int]:
    """The noun that begins here, in the singular, and where it ends."""
    word = tokens[place].word
    if word in FUNCTION_WORDS:
        return None, place
    if place + 1 < len(tokens) and tokens[place + 1].before == word:
        both = lexicon.singular(f"{word} {tokens[place + 1].word}")
        if both:
            return both, place + 2
    return lexicon.singular(word), place + 1
