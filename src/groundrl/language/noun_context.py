"""Whether a word that may be a noun is one where it stands; English only."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from groundrl.language.colors import COLOR_WORDS
from groundrl.language.lexicon import Use
from groundrl.language.numbers import NUMBERS
from groundrl.language.words import fold_case

_MARKUP: Final = re.compile(
    r"""<[^<>]*+>|\[\s*+[-\d][-\d.,\s]*+\]|(?P<inline>\[\s*+[-\d][-\d.,\s]*+)|\]|"(?:b?box_2d|label)\""""
)
"""Tags, brackets of numbers, the numbers of ``[12,40,80,131 vase]`` and keys of JSON boxes."""
OPENED: Final = "\x01"
"""Stands for an opening tag."""
LABELLED: Final = "\x02"
"""Stands for the numbers before a label in brackets."""
BOXED: Final = "\x03"
"""Stands for other markup."""
_WORD: Final = re.compile(r"[^\W\d_]+")
_SAYING: Final = re.compile(
    r"\b(?:on (?:the|one) (?:other )?hand|bird[’']s|eye level|hand in hand|face to face|"
    r"by hand|body of|o[’']clock|head of|side by side|point of view|in hand)\b"
)
"""What names a thing and means none."""

_DETERMINERS: Final = frozenset(
    (
        *("a", "an", "the", "this", "these", "those", "some", "any", "each", "every", "another"),
        *("both", "several", "many", "few", "all", "no", "my", "your", "his", "her", "its", "our"),
        *("their", "whose", "other", "s"),
    )
) | {*NUMBERS}
"""Words before a noun, and the "s" of "man's"."""
_PREPOSITIONS: Final = frozenset(
    (
        *("of", "in", "on", "at", "by", "with", "without", "from", "under", "over", "above"),
        *("below", "behind", "beside", "between", "near", "through", "into", "onto", "along"),
        *("across", "around", "against", "inside", "outside", "past", "like", "during", "for"),
        *("as", "including", "featuring"),
    )
)
_SUBJECTS: Final = frozenset(
    (*("i", "you", "he", "she", "it", "we", "they", "who", "there", "also"),)
)
_AUXILIARIES: Final = frozenset(
    (
        *("can", "cannot", "could", "will", "would", "shall", "should", "may", "might", "must"),
        *("do", "does", "did", "don", "doesn", "didn", "not", "t"),
    )
)
_BE: Final = frozenset(
    (*("is", "are", "was", "were", "be", "been", "being", "am", "appears", "seems", "looks"),)
)
_OWNING: Final = frozenset({"has", "have", "had", "having"})
_PARTICLES: Final = frozenset(
    (*("down", "up", "out", "off", "away", "back", "toward", "towards", "together"),)
)
"""Words behind a verb."""
FUNCTION_WORDS: Final = (
    (_DETERMINERS | _PREPOSITIONS | _SUBJECTS | _AUXILIARIES | _BE | _PARTICLES)
    | frozenset(
        (
            *("and", "or", "but", "nor", "to", "than", "while", "when", "where", "whether", "how"),
            *("why", "because", "if", "so", "then", "since", "until", "after", "before", "about"),
            *("very", "which", "that", "him", "them", "me", "us"),
        )
    )
    | _OWNING
)
"""Words that are never nouns."""
_FOREIGN: Final = frozenset(
    (
        *("der", "das", "und", "ist", "ein", "eine", "einem", "einen", "auf", "mit", "dem", "den"),
        *("neben", "le", "la", "les", "une", "est", "et", "avec", "sur", "dans", "des", "du"),
        *("el", "los", "las", "un", "una", "es", "y", "con", "en", "il", "lo", "di", "e", "della"),
        *("che", "het", "een", "op", "och", "på", "er", "os", "uma", "com", "na", "em"),
    )
)
"""Small words of German, French, Spanish, Italian, Dutch, Swedish, Danish and Portuguese."""
_OBJECTS: Final = _DETERMINERS - {"s"} | {"him", "them", "me", "us", "it"}
"""Words with which the object of a verb begins."""
_SHOWING: Final = frozenset(
    (
        *("wear", "wears", "wearing", "hold", "holds", "holding", "carry", "carries", "carrying"),
        *("contains", "containing", "includes", "shows", "showing", "features", "depicts", "see"),
    )
)
"""Verbs of captions that things follow."""
_LOOKS: Final = frozenset({*COLOR_WORDS, "small", "large", "big", "little", "tall", "wooden"})
_BEFORE_NOUNS: Final = (_DETERMINERS | _PREPOSITIONS | _OWNING | _SHOWING | _LOOKS) | {
    OPENED,
    LABELLED,
}
"""Words and marks that no verb follows."""
_EMPTY_HEADS: Final = frozenset(
    (
        *("area", "color", "colour", "design", "game", "image", "painting", "park", "pattern"),
        *("photo", "picture", "race", "room", "scene", "shop", "show", "station"),
        *("store", "style"),
    )
)
"""Nouns behind another that make it a mere description: "a baseball game"."""
_BEFORE_TO: Final = frozenset(
    (
        *("next", "close", "due", "attached", "connected", "tied", "similar", "adjacent"),
        *("according", "addition", "belongs", "belong", "up", "leads", "leading", "compared"),
        *("left", "right", "opposed", "thanks"),
    )
)
"""Words before a "to" that leads to a noun."""
_DENIED: Final = frozenset({"no", "without"})
_BESIDE_NOT: Final = frozenset({"a", "an", "any", "the", "other", "have", "has", "t"})
"""Small words between a "not" and the noun that it denies."""
_NO_ADVERBS: Final = frozenset({"fly", "only"})
_FAR: Final = 4
"""Words between a noun and the "no" that denies it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A word of a text."""

    start: int
    stop: int
    word: str
    """In lower case."""
    before: str
    """The word before it, if only blanks or a hyphen stand between; ``OPENED``, ``LABELLED`` or
    ``BOXED`` behind markup; otherwise empty."""
    hyphened: bool
    """Whether a hyphen links it to the word behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Words of a text that can be a noun."""

    place: int
    """The first of the words."""
    stop: int
    """Behind the last one."""
    use: Use
    is_plural: bool
    after: Literal["", "one", "many"]
    """Whether they stand right behind another noun, and its number."""
    is_listed: bool
    """Whether an "and" or an "or" links them to another noun."""


def blank_markup(text: str) -> str:
    """The text in lower case and of the same length; marks stand where tags, coordinates and
    sayings were."""
    plain = _MARKUP.sub(_mark, fold_case(text))
    return _SAYING.sub(lambda found: "." * len(found[0]), plain)


def _mark(found: re.Match[str]) -> str:
    if found["inline"]:
        return LABELLED * len(found[0])
    is_opening = found[0][0] == "<" and found[0][1:2].isalpha()
    return (OPENED if is_opening else BOXED) * len(found[0])


def read_tokens(plain: str) -> list[Token]:
    """The words of a text from ``blank_markup``."""
    tokens: list[Token] = []
    last, stop = "", 0
    for word in _WORD.finditer(plain):
        between = plain[stop : word.start()]
        before = between.strip(" \t")[-1:]
        if not before or between in ("-", "'", "’"):
            before = last
        elif before not in (OPENED, LABELLED, BOXED):
            before = ""
        last, stop = word[0], word.end()
        hyphened = plain[stop : stop + 1] == "-" and plain[stop + 1 : stop + 2].isalpha()
        tokens.append(
            Token(start=word.start(), stop=stop, word=last, before=before, hyphened=hyphened)
        )
    return tokens


def repeated_label(tokens: Sequence[Token], place: int) -> int:
    """Where a label in brackets ends that begins at ``place`` and repeats the words in front of
    its bracket: "a white vase [12,40,80,131 white vase]"; ``place`` for any other word."""
    if tokens[place].before != LABELLED:
        return place
    stop = place + 1
    while stop < len(tokens) and tokens[stop].before == tokens[stop - 1].word:
        stop += 1
    words = [token.word for token in tokens[place:stop]]
    before = [token.word for token in tokens[max(0, 2 * place - stop) : place]]
    return stop if words == before else place


def is_english(tokens: Sequence[Token]) -> bool:
    """Whether English has more small words in a text than its neighbours have."""
    words = [token.word for token in tokens]
    foreign = sum(word in _FOREIGN for word in words)
    return foreign == 0 or foreign < sum(word in FUNCTION_WORDS for word in words)


def is_noun(tokens: Sequence[Token], candidate: Candidate) -> bool:
    """Whether the words are a noun, by the words around them."""
    place, stop, use = candidate.place, candidate.stop, candidate.use
    is_plural = candidate.is_plural
    before, word = tokens[place].before, tokens[stop - 1].word
    following = tokens[stop] if stop < len(tokens) else None
    behind = following.word if following and following.before == word else ""
    if tokens[stop - 1].hyphened or (behind in _EMPTY_HEADS and not is_plural):
        return False
    if not before and not behind and not is_plural:
        # A label, or one of a list of labels.
        return True
    may_describe = not is_plural and (word in COLOR_WORDS or use.is_adjective)
    if may_describe and _describes(tokens, place, behind, use):
        return False
    if not use.is_verb:
        return True
    if before in _BEFORE_NOUNS:
        return True
    if before in _AUXILIARIES or (before in _SUBJECTS and not (is_plural and use.share >= 90)):
        return False
    if before.endswith("ly") and before not in _NO_ADVERBS:
        return False
    if behind in _OBJECTS or (before in _BE and word.endswith("ing")):
        return False
    if candidate.is_listed and use.share >= 15:
        return True
    if before == "to":
        is_goal = place > 1 and tokens[place - 1].before in _BEFORE_TO
        return is_goal or is_plural or use.share >= 90
    if before in ("which", "that"):
        return not is_plural or use.share >= 80
    # "Dogs bark" and "a dog barks" agree as subject and verb do.
    if before == BOXED or candidate.after == ("one" if is_plural else "many"):
        return use.share >= 80 and behind not in _PARTICLES and not word.endswith("ing")
    if candidate.after == "one" and use.share < 20 and _is_second(tokens, place):
        return False
    if is_plural:
        # Behind a verb or an adjective: "they fly big kites".
        return use.share >= (20 if before and before not in FUNCTION_WORDS else 50)
    return use.share >= 50 or _has_determiner(tokens, place)


def _describes(tokens: Sequence[Token], place: int, behind: str, use: Use) -> bool:
    """Whether a word that may be an adjective is one: "is orange", "a cozy and warm room"."""
    if tokens[place].before in _BE:
        return True
    if tokens[place].word in COLOR_WORDS:
        is_last = behind in FUNCTION_WORDS or behind[-1:] in ("", "s")
        return not is_last or not _has_determiner(tokens, place)
    # Of "the green sign saying" as of "a cozy sitting room" only the share tells.
    ends = ("", "s", "g", "d") if use.share >= 40 else ("", "s")
    is_last = behind in FUNCTION_WORDS or behind[-1:] in ends
    return use.share < 65 and (
        not is_last or behind in ("and", "or") or not _has_determiner(tokens, place)
    )


def _is_second(tokens: Sequence[Token], place: int) -> bool:
    """Whether an "and" stands a few words before: "a man and a small dog walk"."""
    return any(tokens[place - back].before == "and" for back in range(1, min(5, place)))


def _has_determiner(tokens: Sequence[Token], place: int) -> bool:
    """Whether one stands up to three words before: "a large wooden stand"."""
    for back in range(min(3, place + 1)):
        before = tokens[place - back].before
        if before in _DETERMINERS or before in (OPENED, LABELLED):
            return True
        if not before or before in FUNCTION_WORDS:
            return False
    return False


def is_denied(tokens: Sequence[Token], place: int) -> bool:
    """Whether the text says that a noun is not there: "no red cars", "not a car"."""
    for back in range(min(_FAR, place + 1)):
        before = tokens[place - back].before
        if before in _DENIED or (before == "not" and back):
            # "The no parking sign" is a sign.
            return tokens[place - back - 1].before not in _DETERMINERS
        if not before or (before in FUNCTION_WORDS and before not in _BESIDE_NOT):
            return False
    return False
