"""A caption with everything that was said of it: what is wrong struck out, the repair beside it."""

import html
import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from groundrl.report.parts import MOST_CHARACTERS, cut
from groundrl.synthesis.annotations import (
    CaptionError,
    Decision,
    FinalDecision,
    Verdict,
    VerifiedCaption,
)

WORDS = re.compile(r"\S+\s*|\s+")
CHIPS = {Decision.KEEP: "right", Decision.REPAIR: "mended", Decision.REJECT: "wrong"}
ENDING_CHIPS = {
    FinalDecision.KEPT: "right",
    FinalDecision.REPAIRED: "mended",
    FinalDecision.REJECTED: "wrong",
}


def history(checked: VerifiedCaption) -> str:
    """One line per verdict that changed something, each on the text that the one before left; of
    the last one only its reason, where it had nothing to say against the text."""
    if not checked.verdicts:
        return f'<p class="said">{html.escape(cut(checked.caption.text))}</p>'
    lines, text = [], checked.caption.text
    for round_, verdict in enumerate(checked.verdicts):
        if verdict.decision is not Decision.KEEP or round_ == 0:
            lines.append(f'<p class="said">{_mark(text, verdict)}</p>')
        lines.append(f'<p class="why">{_verdict_text(verdict, text, round_)}</p>')
        text = verdict.repaired if verdict.repaired is not None else text
    if checked.text is None and checked.verdicts[-1].decision is Decision.REPAIR:
        lines.append('<p class="why">given up: repaired too often</p>')
    return "".join(lines)


def chip(text: str, kind: str = "") -> str:
    """A short fact."""
    return f'<span class="chip {kind}">{html.escape(text)}</span>'


def _verdict_text(verdict: Verdict, text: str, round_: int) -> str:
    flaw, note = verdict.flaw, ""
    chips = [chip(verdict.decision, CHIPS[verdict.decision])]
    if verdict.decision is Decision.KEEP:
        return (
            f"{f'verified again: {chips[0]} ' if round_ else ''}{html.escape(cut(verdict.reason))}"
        )
    if flaw is not None:
        chips.append(chip(flaw.kind))
        if flaw.span and _place(text, flaw) is None:
            note = f" (its words “{cut(flaw.span)}” are not in the text)"
    return f"{' '.join(chips)} {html.escape(cut(verdict.reason) + note)}"


def _place(text: str, flaw: CaptionError) -> tuple[int, int] | None:
    """Where a span stands in its caption."""
    found = re.search(re.escape(flaw.span), text, re.IGNORECASE) if flaw.span else None
    return None if found is None else found.span()


def _mark(text: str, verdict: Verdict) -> str:
    """The text with the wrong span and what a repair takes out struck through, and what it puts in
    beside it; of what is rejected the span alone, or everything where none is named."""
    if verdict.decision is Decision.KEEP:
        return html.escape(cut(text))
    flaw = None if verdict.flaw is None else _place(text, verdict.flaw)
    if verdict.decision is Decision.REJECT:
        gone = [flaw or (0, len(text))]
        return _struck_html(text, gone, {}, flaw)
    after = (verdict.repaired or "")[:MOST_CHARACTERS]
    gone, added = _changes(text[:MOST_CHARACTERS], after, flaw or (0, 0))
    return _struck_html(text, gone, added, flaw)


def _changes(
    before: str, after: str, flaw: tuple[int, int]
) -> tuple[list[tuple[int, int]], dict[int, str]]:
    """Spans of ``before`` that are gone, and what stands at which place of it instead. The flaw
    goes as a whole, although the repair may use some of its words."""
    old, new = WORDS.findall(before), WORDS.findall(after)
    starts = [0]
    for word in old:
        starts.append(starts[-1] + len(word))
    gone: list[tuple[int, int]] = []
    added: dict[int, str] = {}
    # The blank after a word is no change of it.
    plain = [word.rstrip() for word in old]
    keyed = [
        (word, start < flaw[1] and start + len(word) > flaw[0])
        for word, start in zip(plain, starts, strict=False)
    ]
    there = [(word.rstrip(), False) for word in new]
    for what, a, b, c, d in SequenceMatcher(None, keyed, there, autojunk=False).get_opcodes():
        if what != "equal":
            if b > a:
                gone.append((starts[a], starts[b - 1] + len(plain[b - 1])))
            if d > c:
                added[gone[-1][1] if b > a else starts[a]] = "".join(new[c:d]).rstrip()
    return gone, added


def _struck_html(
    text: str, gone: list[tuple[int, int]], added: dict[int, str], flaw: tuple[int, int] | None
) -> str:
    """HTML; what is gone is struck through, the flaw in it stands out."""
    edges = {0, len(text), *(edge for span in gone for edge in span), *added, *(flaw or ())}
    shown = sorted(min(edge, MOST_CHARACTERS) for edge in edges)
    parts = list(_pieces(text, sorted({*shown}), gone, added, flaw))
    left = len(text) - shown[-1]
    return "".join(parts) + (f'<span class="tag"> … and {left:,} more</span>' if left else "")


def _pieces(
    text: str,
    edges: list[int],
    gone: list[tuple[int, int]],
    added: dict[int, str],
    flaw: tuple[int, int] | None,
) -> Iterator[str]:
    for start, end in zip(edges, [*edges[1:], edges[-1]], strict=True):
        if start in added:
            yield f" <ins>{html.escape(added[start])}</ins> "
        piece = html.escape(text[start:end])
        if flaw is not None and flaw[0] <= start < flaw[1]:
            piece = f"<mark>{piece}</mark>"
        if piece and any(a <= start < b for a, b in gone):
            piece = f"<del>{piece}</del>"
        yield piece
