"""The offline verifier: it compares captions with detections and pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from PIL import Image

from groundrl.boxes import iou
from groundrl.cache_key import cache_key
from groundrl.detectors.records import Region
from groundrl.language.numbers import NUMBERS
from groundrl.language.reading import (
    Mention,
    Reading,
    StatedRelation,
    parse_caption,
    split_label,
)
from groundrl.language.synonyms import is_among, is_same, may_mean, words_for
from groundrl.language.words import plural, verb_be
from groundrl.questions.box_relations import agrees
from groundrl.relations import CONVERSE
from groundrl.synthesis.annotations import CaptionError, Decision, ErrorKind, Verdict
from groundrl.synthesis.roles import ImageView
from groundrl.synthesis.verifiers.evidence import Evidence

SAME_PLACE: Final = 0.1
"""IoU from which a doubt may show the same object as the region of a crop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVerifier:
    """Checks nouns against regions, counts against the number of regions, relations against boxes,
    and colours against labels and pixels; the first error is repaired.

    A colour is right where the label or the pixels have it. A noun can be wrong only if the
    detector looks for its class or found it in this image, under any name (language/synonyms.py).
    Statements about other nouns are kept, and so are those that a doubt of the detector supports.
    """

    vocabulary: Sequence[str] = ()
    """Labels that the detector looks for: to mention one that it did not find is an error."""

    @property
    def name(self) -> str:
        """``version`` counts changes of the rules."""
        return cache_key("rules", version=4, vocabulary=list(self.vocabulary) or None)

    def with_vocabulary(self, labels: Sequence[str]) -> "RuleVerifier":
        """The same verifier with the labels of a detector in its vocabulary."""
        return replace(self, vocabulary=(*dict.fromkeys((*self.vocabulary, *labels)),))

    def __call__(self, cases: Sequence[tuple[ImageView, str]]) -> list[Verdict | None]:
        """The verdict on each caption; every image is loaded at most once."""
        images: dict[str, Image.Image] = {}
        return [self._verify(Evidence(view, images), text) for view, text in cases]

    def _verify(self, evidence: Evidence, text: str) -> Verdict:
        view = evidence.view
        known = {split_label(region.label)[1] for region in view.regions}
        known |= {split_label(noun)[1] for noun in self.vocabulary}
        own = None if view.crop is None else split_label(view.crop.region.label)[1]
        if own is not None:
            known.add(own)
        reading = parse_caption(text, words_for(known))
        if own is not None and not any(may_mean(one.noun, own) for one in reading.mentions):
            verdict = _check_crop_noun(reading, evidence)
            if verdict is not None:
                return verdict
        for mention in reading.mentions:
            verdict = _check_mention(mention, reading, evidence, known)
            if verdict is not None:
                return _require_content(verdict, own, reading)
        for relation in reading.relations:
            verdict = _check_relation(relation, reading, evidence)
            if verdict is not None:
                return _require_content(verdict, own, reading)
        if not reading.mentions:
            return Verdict(decision=Decision.KEEP, reason="it names nothing that was looked for")
        return Verdict(decision=Decision.KEEP, reason="nothing speaks against it")


def _check_crop_noun(reading: Reading, evidence: Evidence) -> Verdict | None:
    """Rejects the caption of a crop that gives its object the label of a doubt in the same place:
    region or caption is wrong."""
    assert evidence.view.crop is not None
    region = evidence.view.crop.region
    for mention in reading.mentions:
        for doubt in evidence.find_possible(mention.noun):
            if not doubt.sure and iou(doubt.box, region.box) >= SAME_PLACE:
                span = reading.text[mention.start : mention.end]
                flaw = CaptionError(kind=ErrorKind.OBJECT, span=span)
                return _reject(f"it may be a {region.label}", flaw)
    return None


def _check_mention(
    mention: Mention, reading: Reading, evidence: Evidence, known: set[str]
) -> Verdict | None:
    """The verdict on a wrong noun, number or colour; ``known``: the detector's classes."""
    word, words = mention.noun, reading.text[mention.start : mention.end]
    possible = evidence.find_possible(word)
    # The number of "men" among regions of "person" is unknown.
    same = any(is_same(word, noun) for noun in known)
    among = any(is_among(word, noun) for noun in known)
    if mention.number == 0:
        certain = evidence.find_certain(word)
        flaw = CaptionError(kind=ErrorKind.COUNT, span=words)
        text = reading.without_sentence(mention.sentence)
        denied = certain and (same or not among)
        return _repair(flaw, f"there is a {word}", text) if denied else None
    if not possible and among:
        flaw = CaptionError(kind=ErrorKind.OBJECT, span=words)
        text = reading.without_sentence(mention.sentence)
        return _repair(flaw, f"no {word} was found here", text)
    if any(region.sure for region in possible) and mention.color and not mention.plural:
        verdict = _check_color(mention, reading, evidence, possible)
        if verdict is not None:
            return verdict
    if mention.number is None or mention.color is not None or not among:
        return None
    if not same and mention.number > len(possible):
        flaw = CaptionError(kind=ErrorKind.COUNT, span=words)
        text = reading.without_sentence(mention.sentence)
        return _repair(flaw, f"at most {len(possible)} found", text)
    return _check_number(mention, reading, evidence) if same else None


def _check_color(
    mention: Mention, reading: Reading, evidence: Evidence, possible: list[Region]
) -> Verdict | None:
    if any(mention.color in evidence.list_colors(region) for region in possible):
        return None
    right = evidence.list_colors(possible[0])[0]  # sure regions come first
    flaw = CaptionError(kind=ErrorKind.ATTRIBUTE, span=reading.text[mention.start : mention.end])
    reason = f"the {mention.noun} looks {right}"
    if len(possible) > 1:
        return _repair(flaw, reason, reading.without_sentence(mention.sentence))
    assert mention.color_span is not None
    return _repair(flaw, reason, _replace_word(reading, mention.color_span, right))


def _check_number(mention: Mention, reading: Reading, evidence: Evidence) -> Verdict | None:
    assert mention.number is not None
    assert mention.number_span is not None
    low, high = len(evidence.find_certain(mention.noun)), len(evidence.find_possible(mention.noun))
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


def _check_relation(stated: StatedRelation, reading: Reading, evidence: Evidence) -> Verdict | None:
    """A relation is wrong when no pair of possible regions supports it and two sure regions
    contradict it."""
    view = evidence.view
    image, boxes = view.image.source, [region.box for region in view.regions]
    pairs = [
        (a, b)
        for a in evidence.find_mentioned(stated.subject)
        for b in evidence.find_mentioned(stated.object)
        if a != b
    ]
    supported = [
        agrees(stated.relation, a.box, b.box, boxes, image.width, image.height) for a, b in pairs
    ]
    sure = any(a.sure and b.sure for a, b in pairs)
    if not sure or any(answer is not False for answer in supported):
        return None
    flaw = CaptionError(
        kind=ErrorKind.RELATION, span=reading.text[stated.subject.start : stated.object.end]
    )
    converse = CONVERSE.get(stated.relation)
    if len(pairs) == 1 and converse is not None:
        text = reading.replace((stated.start, stated.end), converse)
        return _repair(flaw, f"the boxes say {converse}", text)
    text = reading.without_sentence(stated.subject.sentence)
    return _repair(flaw, "the boxes say otherwise", text)


def _replace_word(reading: Reading, span: tuple[int, int], word: str) -> str:
    """The text with ``word`` at ``span``, and the matching "a" or "an" before it."""
    before, after = reading.text[: span[0]], reading.text[span[1] :]
    for wrong in ("a ", "an ", "A ", "An "):
        if before == wrong or before.endswith(f" {wrong}"):
            right = f"{wrong[0]}{'n' if word[0] in 'aeiou' else ''} "
            return before.removesuffix(wrong) + right + word + after
    return before + word + after


def _repair(flaw: CaptionError, reason: str, text: str) -> Verdict:
    return Verdict(decision=Decision.REPAIR, reason=reason, flaw=flaw, repaired=text)


def _reject(reason: str, flaw: CaptionError | None = None) -> Verdict:
    return Verdict(
        decision=Decision.REJECT,
        reason=reason,
        flaw=flaw or CaptionError(kind=ErrorKind.OTHER, span=""),
    )


def _require_content(verdict: Verdict, own: str | None, reading: Reading) -> Verdict:
    """The verdict; a rejection where its repair leaves no text, or none about the crop's object."""
    before = {mention.noun for mention in reading.mentions}
    left = parse_caption(verdict.repaired or "", before).mentions
    about = {word for word in before if own is not None and may_mean(word, own)}
    if verdict.repaired and (not about or about & {mention.noun for mention in left}):
        return verdict
    return _reject(verdict.reason, verdict.flaw)
