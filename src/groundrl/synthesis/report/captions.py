"""A caption with its verdicts: wrong words are struck through, the repair stands beside them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from groundrl.report.page import MAX_CHARACTERS
from groundrl.synthesis.annotations import (
    CaptionError,
    Decision,
    FinalDecision,
    Verdict,
    VerifiedCaption,
)

WORDS = re.compile(r"\S+\s*|\s+")
DECISION_CLASSES = {
    Decision.KEEP: "right",
    Decision.REPAIR: "repaired",
    Decision.REJECT: "wrong",
    FinalDecision.KEPT: "right",
    FinalDecision.REPAIRED: "repaired",
    FinalDecision.REJECTED: "wrong",
}
"""CSS classes."""

Span = tuple[int, int]
"""First character and the one after the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPiece:
    """A piece of a caption as one verdict changes it."""

    text: str
    change: Literal["", "added", "removed"] = ""
    is_error: bool = False
    """Inside the words that the verdict names as wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionStep:
    """One verdict, on the text that the verdict before it left."""

    pieces: Sequence[TextPiece] = ()
    """The text; empty where it is the one of the step before."""
    characters_left: int = 0
    """Of the text, beyond ``MAX_CHARACTERS``."""
    reason: str | None = None
    """None where there is no verdict."""
    decision: str = ""
    decision_class: str = ""
    error: str = ""
    """Its kind."""
    missing_span: str = ""
    """Words that the verdict names as wrong and that the text does not contain."""
    is_repeated: bool = False
    """Whether a repaired text was verified again and kept."""


def caption_steps(checked: VerifiedCaption) -> list[CaptionStep]:
    """One step per verdict; one without a verdict where the caption was not verified."""
    text = checked.caption.text
    if not checked.verdicts:
        pieces, left = [TextPiece(text=text[:MAX_CHARACTERS])], _count_left(text)
        return [CaptionStep(pieces=pieces, characters_left=left)]
    steps = []
    for index, verdict in enumerate(checked.verdicts):
        steps.append(_view_verdict(text, verdict, is_first=index == 0))
        text = verdict.repaired if verdict.repaired is not None else text
    if checked.text is None and checked.verdicts[-1].decision is Decision.REPAIR:
        steps.append(CaptionStep(reason="given up: repaired too often"))
    return steps


def _view_verdict(text: str, verdict: Verdict, is_first: bool) -> CaptionStep:
    """A verdict on ``text``, which is repeated only where it is new or changes."""
    decision_class = DECISION_CLASSES[verdict.decision]
    if verdict.decision is Decision.KEEP and not is_first:
        return CaptionStep(
            reason=verdict.reason,
            decision=verdict.decision,
            decision_class=decision_class,
            is_repeated=True,
        )
    pieces, left = mark_changes(text, verdict), _count_left(text)
    if verdict.decision is Decision.KEEP:
        return CaptionStep(pieces=pieces, characters_left=left, reason=verdict.reason)
    error = verdict.flaw
    return CaptionStep(
        pieces=pieces,
        characters_left=left,
        reason=verdict.reason,
        decision=verdict.decision,
        decision_class=decision_class,
        error=error.kind if error is not None else "",
        missing_span=error.span if error is not None and _find_error(text, error) is None else "",
    )


def _count_left(text: str) -> int:
    return max(0, len(text) - MAX_CHARACTERS)


def _find_error(text: str, error: CaptionError) -> Span | None:
    """Where a caption contains the words of an error; None where it does not, or none are named."""
    found = re.search(re.escape(error.span), text, re.IGNORECASE) if error.span else None
    return None if found is None else found.span()


def mark_changes(text: str, verdict: Verdict) -> list[TextPiece]:
    """The first ``MAX_CHARACTERS`` of the text, in pieces.

    A repair removes the wrong span and all words that it does not use, and adds its own; a
    rejection removes the wrong span, or the whole text where none is named.
    """
    shown = text[:MAX_CHARACTERS]
    if verdict.decision is Decision.KEEP:
        return [TextPiece(text=shown)]
    error = None if verdict.flaw is None else _find_error(text, verdict.flaw)
    if verdict.decision is Decision.REJECT:
        return _split_text(shown, [error or (0, len(text))], {}, error)
    repaired = (verdict.repaired or "")[:MAX_CHARACTERS]
    removed, added = _compare_words(shown, repaired, error or (0, 0))
    return _split_text(shown, removed, added, error)


def _compare_words(before: str, after: str, error: Span) -> tuple[list[Span], dict[int, str]]:
    """Spans of ``before`` that are removed, and the text that is added at each place of it. The
    error is removed as a whole, although the repair may use some of its words."""
    old, new = WORDS.findall(before), WORDS.findall(after)
    starts = [0]
    for word in old:
        starts.append(starts[-1] + len(word))
    removed: list[Span] = []
    added: dict[int, str] = {}
    # A difference in the blanks after a word is no change.
    plain = [word.rstrip() for word in old]
    # Words of the error get another key, so that no word of the repair equals them.
    old_keys = [
        (word, start < error[1] and start + len(word) > error[0])
        for word, start in zip(plain, starts, strict=False)
    ]
    new_keys = [(word.rstrip(), False) for word in new]
    matcher = SequenceMatcher(None, old_keys, new_keys, autojunk=False)
    for operation, a, b, c, d in matcher.get_opcodes():
        if operation != "equal":
            if b > a:
                removed.append((starts[a], starts[b - 1] + len(plain[b - 1])))
            if d > c:
                added[removed[-1][1] if b > a else starts[a]] = "".join(new[c:d]).rstrip()
    return removed, added


def _split_text(
    text: str, removed: list[Span], added: dict[int, str], error: Span | None
) -> list[TextPiece]:
    edges = {0, len(text), *(edge for span in removed for edge in span), *added, *(error or ())}
    ordered = sorted({min(edge, len(text)) for edge in edges})
    pieces = []
    for start, end in zip(ordered, [*ordered[1:], ordered[-1]], strict=True):
        if start in added:
            pieces.append(TextPiece(text=added[start], change="added"))
        if end > start:
            is_removed = any(a <= start < b for a, b in removed)
            pieces.append(
                TextPiece(
                    text=text[start:end],
                    change="removed" if is_removed else "",
                    is_error=error is not None and error[0] <= start < error[1],
                )
            )
    return pieces
