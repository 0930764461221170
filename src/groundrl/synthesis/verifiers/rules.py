"""The offline verifier: captions held against detections and pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from PIL import Image

from groundrl.boxes import intersection, iou
from groundrl.cache_key import cache_key
from groundrl.detectors.records import Region
from groundrl.language.numbers import NUMBERS
from groundrl.language.synonyms import is_among, is_same, may_mean, words_for
from groundrl.language.words import plural, verb_be
from groundrl.questions.box_relations import agrees
from groundrl.relations import CONVERSE
from groundrl.synthesis.annotations import CaptionError, Decision, ErrorKind, Verdict
from groundrl.synthesis.colors import visible_colors
from groundrl.synthesis.reading import (
    Mention,
    Reading,
    StatedRelation,
    parse_caption,
    split_label,
)
from groundrl.synthesis.roles import View

CERTAIN: Final = 0.75
"""Share of a region's box inside a crop from which the crop shows it beyond doubt."""
POSSIBLE: Final = 0.1
"""Share from which it may show it."""
SAME_PLACE: Final = 0.1
"""IoU from which a doubt may be about the object of a crop, whose boxes scatter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVerifier:
    """Nouns against regions, numbers against how many of them there are, relations against their
    boxes, colours against their labels and pixels; the first flaw found is repaired.

    A colour is right when label or pixels bear it out. Only what could have been seen is denied: a
    class that a detector looks for or found in this image, under any of its names (synonyms.py).
    What is said of other things is kept, and so is what a doubt of the detector bears out.
    """

    vocabulary: Sequence[str] = ()
    """Labels that were looked for: their absence from the regions makes a mention wrong."""

    @property
    def name(self) -> str:
        """The number counts changes of the rules."""
        return cache_key("rules", version=4, vocabulary=list(self.vocabulary) or None)

    def with_labels(self, looked_for: Sequence[str]) -> "RuleVerifier":
        """One that also knows what a detector looks for."""
        return replace(self, vocabulary=(*dict.fromkeys((*self.vocabulary, *looked_for)),))

    def __call__(self, cases: Sequence[tuple[View, str]]) -> list[Verdict | None]:
        """A verdict on each; images that it needs to see are loaded once."""
        images: dict[str, Image.Image] = {}
        return [self._judge(_Evidence(view, images), text) for view, text in cases]

    def _judge(self, evidence: "_Evidence", text: str) -> Verdict:
        view = evidence.view
        known = {split_label(region.label)[1] for region in view.regions}
        known |= {split_label(noun)[1] for noun in self.vocabulary}
        own = None if view.crop is None else split_label(view.crop.region.label)[1]
        if own is not None:
            known.add(own)
        reading = parse_caption(text, words_for(known))
        if own is not None and not any(may_mean(one.noun, own) for one in reading.mentions):
            verdict = _another_name(reading, evidence)
            if verdict is not None:
                return verdict
        for mention in reading.mentions:
            verdict = _mention(mention, reading, evidence, known)
            if verdict is not None:
                return _about_something(verdict, own, reading)
        for said in reading.relations:
            verdict = _relation(said, reading, evidence)
            if verdict is not None:
                return _about_something(verdict, own, reading)
        if not reading.mentions:
            return Verdict(decision=Decision.KEEP, reason="it names nothing that was looked for")
        return Verdict(decision=Decision.KEEP, reason="nothing speaks against it")


@dataclass(slots=True)
class _Evidence:
    """What is known of a view; pixels are loaded when they are asked for."""

    view: View
    images: dict[str, Image.Image]
    """That were loaded already, by digest."""
    _colors: dict[Region, tuple[str, ...]] = field(default_factory=dict)

    def certain(self, word: str) -> list[Region]:
        """Sure regions that the word may mean, and that are in view beyond doubt."""
        return self._in_view(word, CERTAIN, self.view.regions)

    def possible(self, word: str) -> list[Region]:
        """Regions and doubts that the word may mean, and that may be in view."""
        return self._in_view(word, POSSIBLE, (*self.view.regions, *self.view.doubts))

    def _in_view(self, word: str, share: float, regions: Sequence[Region]) -> list[Region]:
        crop = self.view.crop
        return [
            region
            for region in regions
            if may_mean(word, split_label(region.label)[1])
            and (
                crop is None
                or intersection(region.box, crop.box) >= share * max(region.box.area, 1e-9)
            )
        ]

    def of(self, mention: Mention) -> list[Region]:
        """That a mention may mean; those of its colour where there are some."""
        regions = self.possible(mention.noun)
        if mention.color is None:
            return regions
        return [r for r in regions if mention.color in self.colors(r)] or regions

    def colors(self, region: Region) -> tuple[str, ...]:
        """That the region may be said to have: the label's, then what its pixels look like."""
        if region not in self._colors:
            image = self.view.image
            if image.digest not in self.images:
                self.images[image.digest] = image.source.load()
            named = split_label(region.label)[0]
            seen = visible_colors(self.images[image.digest], region.box)
            self._colors[region] = (() if named is None else (named,)) + seen
        return self._colors[region]


def _another_name(reading: Reading, evidence: _Evidence) -> Verdict | None:
    """A crop's caption that calls its region what a doubt in the same place is called: one of the
    two is wrong."""
    assert evidence.view.crop is not None
    region = evidence.view.crop.region
    for mention in reading.mentions:
        for doubt in evidence.possible(mention.noun):
            if not doubt.sure and iou(doubt.box, region.box) >= SAME_PLACE:
                span = reading.text[mention.start : mention.end]
                flaw = CaptionError(kind=ErrorKind.OBJECT, span=span)
                return _rejected(f"it may be a {region.label}", flaw)
    return None


def _mention(
    mention: Mention, reading: Reading, evidence: _Evidence, known: set[str]
) -> Verdict | None:
    """What is wrong with a noun, its number or its colour; ``known``: classes that can be seen."""
    word, words = mention.noun, reading.text[mention.start : mention.end]
    possible = evidence.possible(word)
    # Of "men" among people nobody can tell how many there are, and of "tables" neither.
    same = any(is_same(word, noun) for noun in known)
    among = any(is_among(word, noun) for noun in known)
    if mention.number == 0:
        certain = evidence.certain(word)
        flaw = CaptionError(kind=ErrorKind.COUNT, span=words)
        text = reading.without_sentence(mention.sentence)
        denied = certain and (same or not among)
        return _repair(flaw, f"there is a {word}", text) if denied else None
    if not possible and among:
        flaw = CaptionError(kind=ErrorKind.OBJECT, span=words)
        text = reading.without_sentence(mention.sentence)
        return _repair(flaw, f"no {word} was found here", text)
    if any(region.sure for region in possible) and mention.color and not mention.plural:
        verdict = _color(mention, reading, evidence, possible)
        if verdict is not None:
            return verdict
    if mention.number is None or mention.color is not None or not among:
        return None
    if not same and mention.number > len(possible):
        flaw = CaptionError(kind=ErrorKind.COUNT, span=words)
        text = reading.without_sentence(mention.sentence)
        return _repair(flaw, f"at most {len(possible)} found", text)
    return _number(mention, reading, evidence) if same else None


def _color(
    mention: Mention, reading: Reading, evidence: _Evidence, possible: list[Region]
) -> Verdict | None:
    if any(mention.color in evidence.colors(region) for region in possible):
        return None
    right = evidence.colors(possible[0])[0]  # sure ones come first
    flaw = CaptionError(kind=ErrorKind.ATTRIBUTE, span=reading.text[mention.start : mention.end])
    reason = f"the {mention.noun} looks {right}"
    if len(possible) > 1:
        return _repair(flaw, reason, reading.without_sentence(mention.sentence))
    assert mention.color_span is not None
    return _repair(flaw, reason, _with_article(reading, mention.color_span, right))


def _number(mention: Mention, reading: Reading, evidence: _Evidence) -> Verdict | None:
    assert mention.number is not None
    assert mention.number_span is not None
    low, high = len(evidence.certain(mention.noun)), len(evidence.possible(mention.noun))
    if low <= mention.number <= high:
        return None
    flaw = CaptionError(kind=ErrorKind.COUNT, span=reading.text[mention.start : mention.end])
    reason = f"{low} found" if low == high else f"{low} to {high} found"
    if low != high or low >= len(NUMBERS) or low == 0:
        return _repair(flaw, reason, reading.without_sentence(mention.sentence))
    noun = mention.noun if low == 1 else plural(mention.noun)
    before, after = reading.text[: mention.start], reading.text[mention.end :]
    verb = verb_be(mention.noun) if low == 1 else "are"
    for wrong in ("There is ", "There are "):
        if before.endswith(wrong):
            before = f"{before.removesuffix(wrong)}There {verb} "
    return _repair(flaw, reason, f"{before}{NUMBERS[low]} {noun}{after}")


def _relation(said: StatedRelation, reading: Reading, evidence: _Evidence) -> Verdict | None:
    """Wrong when no two regions that may be meant bear it out, and two sure ones speak against."""
    view = evidence.view
    image, things = view.image.source, [region.box for region in view.regions]
    pairs = [(a, b) for a in evidence.of(said.subject) for b in evidence.of(said.object) if a != b]
    told = [
        agrees(said.relation, a.box, b.box, things, image.width, image.height) for a, b in pairs
    ]
    sure = any(a.sure and b.sure for a, b in pairs)
    if not sure or any(answer is not False for answer in told):
        return None
    flaw = CaptionError(
        kind=ErrorKind.RELATION, span=reading.text[said.subject.start : said.object.end]
    )
    turned = CONVERSE.get(said.relation)
    if len(pairs) == 1 and turned is not None:
        text = reading.replace((said.start, said.end), turned)
        return _repair(flaw, f"the boxes say {turned}", text)
    text = reading.without_sentence(said.subject.sentence)
    return _repair(flaw, "the boxes say otherwise", text)


def _with_article(reading: Reading, span: tuple[int, int], word: str) -> str:
    """Another word at ``span``, with the "a" or "an" before it that it asks for."""
    before, after = reading.text[: span[0]], reading.text[span[1] :]
    for wrong in ("a ", "an ", "A ", "An "):
        if before == wrong or before.endswith(f" {wrong}"):
            right = f"{wrong[0]}{'n' if word[0] in 'aeiou' else ''} "
            return before.removesuffix(wrong) + right + word + after
    return before + word + after


def _repair(flaw: CaptionError, reason: str, text: str) -> Verdict:
    return Verdict(decision=Decision.REPAIR, reason=reason, flaw=flaw, repaired=text)


def _rejected(reason: str, flaw: CaptionError | None = None) -> Verdict:
    return Verdict(
        decision=Decision.REJECT,
        reason=reason,
        flaw=flaw or CaptionError(kind=ErrorKind.OTHER, span=""),
    )


def _about_something(verdict: Verdict, own: str | None, reading: Reading) -> Verdict:
    """Rejected instead where the repair leaves nothing, or nothing more about what was found."""
    before = {mention.noun for mention in reading.mentions}
    left = parse_caption(verdict.repaired or "", before).mentions
    about = {word for word in before if own is not None and may_mean(word, own)}
    if verdict.repaired and (not about or about & {mention.noun for mention in left}):
        return verdict
    return _rejected(verdict.reason, verdict.flaw)
