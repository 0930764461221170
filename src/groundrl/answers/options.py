"""Reads which options an answer chooses, by their words or their letters."""

import re
from collections.abc import Callable, Mapping, Sequence

from groundrl.answers.wording import conclude, find_conclusions, hedges, strip_markup
from groundrl.answers.yes_no import YES_NO_WORDS, asks_yes_no, read_yes_no
from groundrl.language.numbers import NUMBERS
from groundrl.prompts import LETTERS
from groundrl.records import Sample

_LABEL = re.compile(r"^\s*(?:option|choice|answer)\s+(?=\(?[A-Za-z]\b)", re.IGNORECASE)
_LINE, _SENTENCE = re.compile(r"\n"), re.compile(r"[.!?](?=\s)")
_IS_RIGHT = re.compile(
    r"\s+is\s+(?:the\s+)?(?:correct|right|best)(?:\s+(?:answer|option|choice))?\s*[.!]?\s*$",
    re.IGNORECASE,
)
_TAIL = 60
"""Characters at the end of a text in which ``_IS_RIGHT`` is looked for."""
_PAIR = re.compile(r"\(?([A-Za-z])\)?\s*+[).:,=\u2013\u2014-]?\s*+(.+)")
_LETTER = re.compile(
    r"\(([A-Za-z])\)|(?<![\w'\u2019])([A-Z](?=[).:])|[B-HJ-Zb-hj-z])(?![\w'\u2019])"
)
"""A letter that may name an option; "a" and "I" are words unless marked."""
_LETTER_BEHIND = re.compile(r"\([A-Za-z]\)\.?$")
_WORD = re.compile(r"\w+")
_SEPARATOR = re.compile(r"[,;\n]|\band\b", re.IGNORECASE)
_MARKED = re.compile(r"\(?([A-Z])[).:]")
_NUMBER = re.compile(r"([-+]?)(\d+(?:,\d{3})*)(?:\.(\d*))?", re.ASCII)
_NUMBER_WORDS = {word: str(number) for number, word in enumerate(NUMBERS)}


def normalise(text: str) -> str:
    """Letters and digits only, lower case."""
    return "".join(character for character in text.lower() if character.isalnum())


def distinct_options(options: Sequence[str]) -> tuple[str, ...]:
    """Options with different words: a blank or repeated option gets its letter behind it."""
    plain = [normalise(option) for option in options]
    return tuple(
        option if text and plain.count(text) == 1 else f"{option} [{LETTERS[index]}]".strip()
        for index, (option, text) in enumerate(zip(options, plain, strict=True))
    )


def normalise_value(text: str) -> str:
    """Equal for equal values: "three", "3", "3.0" and "+3." are "3", "1,000" is "1000", "-3" stays;
    anything else as by ``normalise``. Number words are read up to twelve."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        plain = normalise(text)
        return _NUMBER_WORDS.get(plain, plain)
    whole, rest = found[2].replace(",", "").lstrip("0"), (found[3] or "").rstrip("0")
    number = f"{whole or '0'}.{rest}" if rest else whole or "0"
    return f"-{number}" if found[1] == "-" and number != "0" else number


def read_answer(text: str | None, options: Sequence[str]) -> frozenset[str] | None:
    """The options that an answer chooses, however it is worded; None where none is chosen.

    What ``read_exactly`` reads, in any markup, behind "the answer is" or its like, or at the start
    of the text. A letter may stand before its words ("B - blue"). What follows must neither hedge
    nor name another option, and several conclusions must be the same: "A or B" is no answer. Where
    the options are yes and no, or true and false: ``read_yes_no``. Without ``options`` the
    question is open: one element, ``normalise_value`` of the conclusion.
    """
    if text is None:
        return None
    if not options:
        plain = normalise_value(conclude(text))
        return frozenset([plain]) if plain else None
    chosen = read_exactly(text, options)
    if chosen is None and asks_yes_no(options):
        verdict = read_yes_no(_LETTER_BEHIND.sub("", text.rstrip()))
        same = {option for option in options if YES_NO_WORDS[option.strip(" .").lower()] is verdict}
        own = all(same.issuperset(_by_letter(one, options) or [""]) for one in _letters(text))
        return frozenset(same) if len(same) == 1 and own else None
    return chosen or _read_conclusion(text, options)


def read_exactly(text: str | None, options: Sequence[str]) -> frozenset[str] | None:
    """The options that a text lists, as their words; None when it contains anything else.

    Words are separated by commas, semicolons, line breaks or "and", and compared by letters and
    digits only, numbers by their value: "three" is "3" (options that would then be equal or empty,
    such as "C" and "C++", by full text).
    Letters are "A", "(b)", "C.", "A, C", "A C", capitals in alphabetical order without anything
    between ("AC"), or stand before their words ("A. red"). Words win over letters; but where
    options are single letters themselves, "C" is the third option rather than the word "c". Every
    option listed is every option chosen. Without ``options``: ``normalise_value`` of the text.
    """
    if text is None:
        return None
    if not options:
        plain = normalise_value(text)
        return frozenset([plain]) if plain else None
    chosen = (
        _read_words(text, options, _full_text)
        or (_read_letters(text, options) if text.isupper() else None)
        or _read_words(text, options, _loosest_key(options))
        or _read_letters(text, options)
    )
    return frozenset(chosen) if chosen else None


def is_correct(text: str | None, sample: Sample) -> bool:
    """Whether the text chooses exactly ``sample.answers``; of an open question, one of them.

    False for a sample without answers.
    """
    if text is None or not sample.answers:
        return False
    if not sample.options and asks_yes_no(sample.answers):
        return read_yes_no(text) in {YES_NO_WORDS[answer.lower()] for answer in sample.answers}
    chosen = read_answer(text, sample.options)
    if chosen is None:
        return False
    if sample.options:
        return chosen == frozenset(sample.answers)
    return chosen <= {normalise_value(answer) for answer in sample.answers}


def is_exactly_correct(text: str | None, sample: Sample) -> bool:
    """``is_correct`` for a text that holds the answer and nothing else.

    Give it ``Parsed.tagged_answer``, and an answer without its tags is wrong, too.
    """
    if text is None or not sample.answers:
        return False
    if sample.options:
        return read_exactly(text, sample.options) == frozenset(sample.answers)
    return normalise_value(text) in {normalise_value(answer) for answer in sample.answers}


def is_unparsed(text: str | None, sample: Sample) -> bool:
    """Whether the text says nothing of what was asked for: none of the options, neither true nor
    false, or no word at all where the question is open."""
    if text is None:
        return True
    if not sample.options and asks_yes_no(sample.answers):
        return read_yes_no(text) is None
    return read_answer(text, sample.options) is None


def answer_f1(text: str | None, sample: Sample) -> float:
    """``2 * hits / (chosen + right)`` over the options, in [0, 1]: 1 for exactly the right ones, 0
    for anything that is no option. Of an open question like ``is_correct``."""
    if not sample.options:
        return float(is_correct(text, sample))
    chosen, right = read_answer(text, sample.options) or frozenset(), frozenset(sample.answers)
    return 2 * len(chosen & right) / (len(chosen) + len(right)) if right else 0.0


def _read_conclusion(text: str, options: Sequence[str]) -> frozenset[str] | None:
    """The one choice of an answer in many words."""
    parts = find_conclusions(text) or [strip_markup(text)]
    chosen = {_read_start(part, options) for part in parts}
    return chosen.pop() if len(chosen) == 1 else None


def _read_start(text: str, options: Sequence[str]) -> frozenset[str] | None:
    """The options named by the text, its first line or its first sentence, if the rest of it names
    no other and does not hedge."""
    text = _LABEL.sub("", text)
    for end in (len(text), _end(text, _LINE), _end(text, _SENTENCE)):
        start = text[: max(end - _TAIL, 0)] + _IS_RIGHT.sub("", text[max(end - _TAIL, 0) : end])
        chosen = read_exactly(start, options) or _read_pair(start, options)
        if chosen:
            rest = text[end:]
            return None if hedges(rest) or _names_other(rest, chosen, options) else chosen
    return None


def _end(text: str, pattern: re.Pattern[str]) -> int:
    found = pattern.search(text)
    return found.end() if found else len(text)


def _read_pair(text: str, options: Sequence[str]) -> frozenset[str] | None:
    """A letter with its own words: "B - blue", "b) blue", "B, blue"."""
    pair = _PAIR.fullmatch(text.strip())
    named = _by_letter(pair[1].upper(), options) if pair else []
    key = _loosest_key(options)
    return frozenset(named) if pair and named and key(pair[2]) == key(named[0]) else None


def _names_other(text: str, chosen: frozenset[str], options: Sequence[str]) -> bool:
    """Whether the text names an option besides ``chosen``, by its words or its letter."""
    plain = f" {' '.join(_WORD.findall(text.lower()))} "
    for option in chosen:
        plain = plain.replace(f" {' '.join(_WORD.findall(option.lower()))} ", " ")
    others = [option for option in options if option not in chosen]
    if any(f" {' '.join(_WORD.findall(option.lower()))} " in plain for option in others):
        return True
    letters = _letters(text)
    return any(one in others for letter in letters for one in _by_letter(letter, options))


def _letters(text: str) -> set[str]:
    """Capitals of the letters that stand alone in a text."""
    return {letter.upper() for pair in _LETTER.findall(text) for letter in pair if letter}


def _full_text(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _loosest_key(options: Sequence[str]) -> Callable[[str], str]:
    """The loosest comparison key that keeps different options different and none empty."""
    for key in (normalise_value, normalise):
        plain = {key(option) for option in options}
        if "" not in plain and len(plain) == len(set(options)):
            return key
    return lambda text: _full_text(text.casefold())


def _read_words(text: str, options: Sequence[str], key: Callable[[str], str]) -> list[str] | None:
    """Options that the text lists, None if it lists anything else.

    At each position the longest option is tried first, because options may contain separators.
    """
    by_key = {key(option): option for option in options}
    cuts = [(0, 0), *(cut.span() for cut in _SEPARATOR.finditer(text)), (len(text), len(text))]
    starts = [end for _, end in cuts[:-1]]
    ends = [start for start, _ in cuts[1:]]
    longest = 1 + max(len(_SEPARATOR.findall(option)) for option in options)
    chosen: list[str] = []
    index = 0
    while index < len(starts):
        if not text[starts[index] : ends[index]].strip():
            index += 1
            continue
        for last in range(min(index + longest, len(starts)) - 1, index - 1, -1):
            piece = text[starts[index] : ends[last]]
            option = by_key.get(key(piece)) or _read_marked(piece, options, by_key, key)
            if option is not None:
                chosen.append(option)
                index = last + 1
                break
        else:
            return None
    return chosen


def _read_marked(
    piece: str, options: Sequence[str], by_key: Mapping[str, str], key: Callable[[str], str]
) -> str | None:
    """The option of a letter with its own words: "A. red"."""
    mark = _MARKED.match(piece.strip())
    if mark is None:
        return None
    named = by_key.get(key(piece.strip()[mark.end() :]))
    return named if named in _by_letter(mark[1], options) else None


def _read_letters(text: str, options: Sequence[str]) -> list[str] | None:
    chosen: list[str] = []
    for piece in _SEPARATOR.sub(" ", text).split():
        letters = piece.strip("().:")
        if len(letters) == 1:
            letters = letters.upper()
        elif list(letters) != sorted(set(letters)):
            return None
        named = [option for letter in letters for option in _by_letter(letter, options)]
        if not named or len(named) < len(letters):
            return None
        chosen += named
    return chosen


def _by_letter(letter: str, options: Sequence[str]) -> list[str]:
    """A list of the option that a letter stands for; empty without one."""
    index = LETTERS.find(letter)
    return list(options[index : index + 1]) if index >= 0 else []
