"""A judge of alignment by rule, for the short reasoning of the embedded world."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundrl.answers.alignment import Case, Judgement, Misalignment
from groundrl.answers.options import normalise, read_answer
from groundrl.answers.wording import conclude
from groundrl.answers.yes_no import YES_NO_WORDS
from groundrl.language.negation import negates
from groundrl.language.noun_context import FUNCTION_WORDS
from groundrl.questions.counts import COUNTS
from groundrl.relations import RELATION_WORDS

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_CLAUSE_END: Final = re.compile(r"[.,;:!?\n]|\bbut\b", re.IGNORECASE)
_LISTED: Final = re.compile(r"[,;\n]|\band\b", re.IGNORECASE)
_ARTICLE: Final = re.compile(r"^\s*(?:an?|the)\s+", re.IGNORECASE)
_EXISTENCE: Final = re.compile(
    r"(?:is|are) there (?:an?|any) (.+?)(?: in the \w+)?\?", re.IGNORECASE
)
"""A question whether something is there."""
_LIST: Final = re.compile(r"\s*which of these are\b", re.IGNORECASE)
"""A question for all that are such."""
_FOUND: Final = re.compile(r"\s*(?:which of these|what color) (?:is|are)\b", re.IGNORECASE)
"""A question about what stands somewhere, never about its landmark."""
_RELATION: Final = "|".join(sorted(RELATION_WORDS, key=len, reverse=True))
_PLACE: Final = re.compile(rf"\b(?:{_RELATION}) (?:an?|the)\b", re.IGNORECASE)
"""Where a question has a landmark."""
_LANDMARK: Final = re.compile(
    rf" ({_RELATION})"
    r"(?: (?!is |are |i |we |there )\w+)*(?= )"
)
"""In the words of a clause: a relation and what follows it, up to a verb."""
_MOST_LISTED: Final = 50
"""Things that an answer may list."""
_PRESENT: Final = (" there ", " i see ", " i find ")
"""How a clause begins that says that something is there."""


def judge_by_rule(one: Case) -> Judgement | None:
    """The verdict, or None where the rule cannot say.

    Aligned: what the answer names stands in the reasoning, in whole words and not behind a negation
    of its clause; a number is the last that the reasoning states, else that of the objects pointed
    at, one less where the question has a landmark. An answer need not be one of the options. Of
    "Which of these are ...?" it names all options that the reasoning names. What a landmark is
    called ("left of the red lamp") does not answer such a question, nor one for a colour.

    An answer of yes or no is judged where the reasoning ends in a verdict ("so no."), or where the
    question is whether something is there and the reasoning says so or denies it. None: of another
    answer of yes or no; and of an open answer whose words are not there, for other words may mean
    the same. Silence is misaligned, and so is an answer without words.
    """
    if not one.reasoning:
        return _misaligned(Misalignment.MISSING_DETAIL, "there is no reasoning")
    named = _named(one)
    if not named:
        return _misaligned(Misalignment.OTHER, "the answer cannot be read")
    said = _Said.by(one)
    if len(named) == 1 and (verdict := YES_NO_WORDS.get(normalise(named[0]))) is not None:
        return _judge_verdict(one, said, verdict)
    for words in named:
        if (found := _judge_words(one, said, words)) is not None:
            return found if one.options or found.flaw is Misalignment.CONTRADICTION else None
    for option in one.options if _LIST.match(one.question) else ():
        listed = _in_words(option)
        if said.affirms(listed) and not any(listed in _in_words(words) for words in named):
            return _misaligned(Misalignment.CONTRADICTION, f"the reasoning names {option}, too")
    return _aligned("the reasoning names the answer")


def _named(one: Case) -> Sequence[str]:
    """The options that the answer chooses; the words that it lists where it chooses none."""
    chosen = read_answer(one.answer, one.options) if one.options else None
    if chosen is not None:
        return sorted(chosen)
    parts = (_ARTICLE.sub("", part).strip() for part in _LISTED.split(conclude(one.answer)))
    listed = [part for part in dict.fromkeys(parts) if _in_words(part)]
    return listed if len(listed) <= _MOST_LISTED else []


def _judge_words(one: Case, said: "_Said", words: str) -> Judgement | None:
    """Why these words of the answer do not follow; None where they do."""
    number = normalise(words)
    if number in COUNTS:
        stated = said.number
        if stated is not None and stated != number:
            return _misaligned(Misalignment.CONTRADICTION, f"the reasoning counts {stated}")
        landmarks = int(_PLACE.search(one.question) is not None)
        if stated is None and one.pointed - landmarks != COUNTS.index(number):
            return _misaligned(Misalignment.MISSING_DETAIL, f"it does not point at {number}")
        return None
    phrase = _in_words(words)
    if said.affirms(phrase):
        return None
    if said.denies(phrase):
        return _misaligned(Misalignment.CONTRADICTION, f"the reasoning denies {words}")
    if not said.is_about(one):
        return _misaligned(Misalignment.IRRELEVANT, "it names nothing of question and answer")
    return _misaligned(Misalignment.MISSING_DETAIL, f"the reasoning does not mention {words}")


def _judge_verdict(one: Case, said: "_Said", answer: bool) -> Judgement | None:
    """The verdict on an answer of yes (True) or no."""
    verdict = said.verdict
    asked = _EXISTENCE.match(one.question)
    if verdict is None and asked is not None:
        verdict = said.presence(_in_words(asked[1]))
    if verdict is None:
        return None
    if verdict is answer:
        return _aligned("it says the same")
    reason = f"the reasoning says {'yes' if verdict else 'no'}, the answer the opposite"
    return _misaligned(Misalignment.CONTRADICTION, reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clause:
    """Words in lower case, each between blanks, so that a phrase is found as whole words."""

    affirmed: str
    denied: str
    """From the first negation on; empty without one."""

    @classmethod
    def of(cls, text: str) -> "_Clause":
        words = _words(text)
        cut = next((i for i, word in enumerate(words) if negates(word)), len(words))
        return cls(affirmed=_between_blanks(words[:cut]), denied=_between_blanks(words[cut:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What reasoning says."""

    clauses: Sequence[_Clause]
    landmarks: bool
    """Whether a landmark counts as named."""

    @classmethod
    def by(cls, one: Case) -> "_Said":
        clauses = [_Clause.of(text) for text in _CLAUSE_END.split(one.reasoning)]
        return cls(
            clauses=[clause for clause in clauses if clause.affirmed or clause.denied],
            landmarks=_FOUND.match(one.question) is None,
        )

    def affirms(self, phrase: str) -> bool:
        return any(phrase in self._named_in(clause) for clause in self.clauses)

    def denies(self, phrase: str) -> bool:
        return any(phrase in clause.denied for clause in self.clauses)

    def _named_in(self, clause: _Clause) -> str:
        return clause.affirmed if self.landmarks else _LANDMARK.sub(r" \1", clause.affirmed)

    @property
    def number(self) -> str | None:
        """The last number that is stated."""
        words = [word for clause in self.clauses for word in clause.affirmed.split()]
        return next((word for word in reversed(words) if word in COUNTS), None)

    @property
    def verdict(self) -> bool | None:
        """The verdict with which the reasoning ends."""
        last = self.clauses[-1:]
        words = [word for clause in last for word in (clause.affirmed + clause.denied).split()]
        if not words or words[-1] not in YES_NO_WORDS:
            return None
        return YES_NO_WORDS[words[-1]] is not any(negates(word) for word in words[:-1])

    def presence(self, phrase: str) -> bool | None:
        """Whether such a thing is said to be there."""
        if self.denies(phrase):
            return False
        begins = [one.affirmed for one in self.clauses if one.affirmed.startswith(_PRESENT)]
        return True if any(phrase in words for words in begins) else None

    def is_about(self, one: Case) -> bool:
        """Whether it shares a word with question, options or answer."""
        about = {*_words(" ".join((one.question, *one.options, one.answer)))} - FUNCTION_WORDS
        words = (word for c in self.clauses for word in (c.affirmed + c.denied).split())
        return not about.isdisjoint(words)


def _words(text: str) -> list[str]:
    return [word.replace("\u2019", "'") for word in _WORD.findall(text.casefold())]


def _in_words(text: str) -> str:
    return _between_blanks(_words(text))


def _between_blanks(words: Sequence[str]) -> str:
    return f" {' '.join(words)} " if words else ""


def _aligned(reason: str) -> Judgement:
    return Judgement(aligned=True, flaw=Misalignment.NONE, reason=reason)


def _misaligned(flaw: Misalignment, reason: str) -> Judgement:
    return Judgement(aligned=False, flaw=flaw, reason=reason)
