"""Options that stand inside the text of a question, and answers that name them."""

import re
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_uppercase
from typing import Final

_LINE: Final = re.compile(r"^[ \t]*+\(?([A-Z])[.):][ \t]*+(\S[^\n]*+)$", re.MULTILINE)
_INLINE: Final = re.compile(r"\(([A-Z])\)[ \t]*+([^()\n]++)")
_HEADING: Final = re.compile(r"(?:options|choices|answer choices)[ \t]*:[ \t]*$", re.IGNORECASE)
_LETTERS: Final = re.compile(r"[A-Z](?:[ ,;/&]+(?:and +)?[A-Z])*")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOptions:
    """A question, and the options that stood in its text."""

    question: str
    """What stood before and after the options."""
    options: tuple[str, ...]


def split_options(text: str) -> AskedOptions:
    """Take options with letters from A on out of the text: one a line, or ``(A) cat (B) dog``.

    Without at least two of them in a row, the text is returned as it is.
    """
    for pattern in (_LINE, _INLINE):
        found = list(pattern.finditer(text))
        letters = "".join(match[1] for match in found)
        if len(found) >= 2 and ascii_uppercase.startswith(letters):
            before = _HEADING.sub("", text[: found[0].start()].rstrip())
            after = text[found[-1].end() :]
            between = any(text[a.end() : b.start()].strip(" ,;\n") for a, b in pairwise(found))
            if not between:
                options = tuple(match[2].strip().rstrip(",;").strip() for match in found)
                question = "\n".join(part.strip() for part in (before, after) if part.strip())
                return AskedOptions(question=question, options=options)
    return AskedOptions(question=text.strip(), options=())


def chosen_options(answer: str, options: tuple[str, ...]) -> tuple[str, ...]:
    """The texts of the options that the answer names: ``B``, ``(B) dog``, ``dog``, ``A, C``.

    Raises ValueError for an answer that is not among them.
    """
    text = answer.strip()
    if text in options:
        return (text,)
    by_letter = dict(zip(ascii_uppercase, options, strict=False))
    bare = text.strip(" .()[]")
    if _LETTERS.fullmatch(bare):
        letters = re.findall(r"[A-Z]", bare.replace("and", ""))
        if all(letter in by_letter for letter in letters):
            return tuple(dict.fromkeys(by_letter[letter] for letter in letters))
    named = re.match(r"\(?([A-Z])[.):]\s*(.+)$", text, re.DOTALL)
    if named and by_letter.get(named[1], "").strip(" .") == named[2].strip(" ."):
        return (by_letter[named[1]],)
    same = [option for option in options if option.strip(" .").lower() == text.strip(" .").lower()]
    if len(same) == 1:
        return (same[0],)
    raise ValueError(f"answer {text!r:.60} is not among the options {list(options)!r:.200}")
