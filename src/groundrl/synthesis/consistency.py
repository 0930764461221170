"""The caption of the whole image (level 1) against the captions of its crops (level 2)."""

from collections.abc import Sequence

from groundrl.detectors.records import Region
from groundrl.language.reading import Mention, parse_caption, split_label
from groundrl.synthesis.annotations import (
    CaptionError,
    Decision,
    ErrorKind,
    Verdict,
    VerdictSource,
    VerifiedCaption,
)


def find_conflict(
    text: str, regions: Sequence[Region], branches: Sequence[VerifiedCaption]
) -> Verdict | None:
    """The first statement of level 1 that level 2 denies; its repair is the text without that
    sentence. None where level 2 denies nothing.

    Level 2 denies a noun of which every region was rejected, and a colour that no crop of its noun
    has, where the captions of all these crops name one.
    """
    rejected = [b.crop.region for b in branches if b.crop is not None and b.text is None]
    kept = {split_label(region.label)[1] for region in regions if region not in rejected}
    denied = {split_label(region.label)[1] for region in rejected} - kept
    colors = _colors(regions, branches)
    reading = parse_caption(text, kept | denied)
    for mention in reading.mentions:
        kind, reason = _find_denial(mention, denied, colors)
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


def _find_denial(
    mention: Mention, denied: set[str], colors: dict[str, set[str]]
) -> tuple[ErrorKind | None, str]:
    if mention.noun in denied and mention.number != 0:
        return ErrorKind.OBJECT, f"no crop shows {mention.noun}"
    known = colors.get(mention.noun)
    if known and mention.color is not None and mention.color not in known:
        return ErrorKind.ATTRIBUTE, f"the crops show {mention.noun} in {', '.join(sorted(known))}"
    return None, ""


def _colors(regions: Sequence[Region], branches: Sequence[VerifiedCaption]) -> dict[str, set[str]]:
    """The colours of each noun of which every region has a caption that names its colour."""
    named: dict[str, set[str]] = {}
    complete: dict[str, int] = {}
    for branch in branches:
        color = color_of(branch)
        if branch.crop is not None and branch.text is not None:
            noun = split_label(branch.crop.region.label)[1]
            named.setdefault(noun, set()).update(() if color is None else (color,))
            complete[noun] = complete.get(noun, 0) + (color is not None)
    rejected = [b.crop.region for b in branches if b.crop is not None and b.text is None]
    left = [split_label(r.label)[1] for r in regions if r not in rejected]
    return {noun: found for noun, found in named.items() if complete[noun] == left.count(noun)}


def color_of(branch: VerifiedCaption) -> str | None:
    """The colour that the caption of a crop gives to the object of the crop; None where it names
    none."""
    if branch.crop is None or branch.text is None:
        return None
    noun = split_label(branch.crop.region.label)[1]
    for mention in parse_caption(branch.text, {noun}).mentions:
        if mention.is_single and mention.color is not None:
            return mention.color
    return None
