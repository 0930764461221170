"""Level 1 against level 2: what crops rejected or corrected does not survive in the whole."""

from collections.abc import Sequence

from groundrl.detectors.records import Region
from groundrl.synthesis.annotations import (
    CaptionError,
    Decision,
    ErrorKind,
    Verdict,
    VerdictSource,
    VerifiedCaption,
)
from groundrl.synthesis.reading import Mention, parse_caption, split_label


def conflict(
    text: str, regions: Sequence[Region], branches: Sequence[VerifiedCaption]
) -> Verdict | None:
    """What level 1 says and level 2 denies, with the sentence left out; None without such a thing.

    Denied is a noun of which every region was rejected, and a colour that no crop of its noun has
    where all of them say theirs.
    """
    rejected = [b.crop.region for b in branches if b.crop is not None and b.text is None]
    kept = {split_label(region.label)[1] for region in regions if region not in rejected}
    denied = {split_label(region.label)[1] for region in rejected} - kept
    colors = _colors(regions, branches)
    reading = parse_caption(text, kept | denied)
    for mention in reading.mentions:
        kind, reason = _denial(mention, denied, colors)
        if kind is not None:
            span = reading.text[mention.start : mention.end]
            left = reading.without_sentence(mention.sentence)
            return Verdict(
                decision=Decision.REPAIR if left else Decision.REJECT,
                reason=reason,
                flaw=CaptionError(kind=kind, span=span),
                repaired=left or None,
                by=VerdictSource.CONSISTENCY,
            )
    return None


def _denial(
    mention: Mention, denied: set[str], colors: dict[str, set[str]]
) -> tuple[ErrorKind | None, str]:
    if mention.noun in denied and mention.number != 0:
        return ErrorKind.OBJECT, f"no crop shows {mention.noun}"
    known = colors.get(mention.noun)
    if known and mention.color is not None and mention.color not in known:
        return ErrorKind.ATTRIBUTE, f"the crops show {mention.noun} in {', '.join(sorted(known))}"
    return None, ""


def _colors(regions: Sequence[Region], branches: Sequence[VerifiedCaption]) -> dict[str, set[str]]:
    """The colours of each noun; only of those nouns of which every region says its own."""
    said: dict[str, set[str]] = {}
    complete: dict[str, int] = {}
    for branch in branches:
        color = color_of(branch)
        if branch.crop is not None and branch.text is not None:
            noun = split_label(branch.crop.region.label)[1]
            said.setdefault(noun, set()).update(() if color is None else (color,))
            complete[noun] = complete.get(noun, 0) + (color is not None)
    rejected = [b.crop.region for b in branches if b.crop is not None and b.text is None]
    left = [split_label(r.label)[1] for r in regions if r not in rejected]
    return {noun: found for noun, found in said.items() if complete[noun] == left.count(noun)}


def color_of(branch: VerifiedCaption) -> str | None:
    """The colour that a crop's caption gives to what the crop is about."""
    if branch.crop is None or branch.text is None:
        return None
    noun = split_label(branch.crop.region.label)[1]
    for mention in parse_caption(branch.text, {noun}).mentions:
        if mention.is_single and mention.color is not None:
            return mention.color
    return None
