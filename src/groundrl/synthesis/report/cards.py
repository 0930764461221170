"""An image of a synthesis as a card: regions, captions of both levels, verdicts, questions."""

import html
from collections.abc import Mapping, Sequence
from typing import Final

from PIL import Image

from groundrl.detectors.records import InputImage, Region
from groundrl.images import UnreadableImageError
from groundrl.records import Grounding, Sample, Segments
from groundrl.report.parts import MOST_BOXES, box_layer, cut, facets, image_frame, inline_jpeg
from groundrl.synthesis.annotations import FinalDecision, VerifiedCaption
from groundrl.synthesis.merge import merge
from groundrl.synthesis.quality import compare_with_planted
from groundrl.synthesis.report.captions import ENDING_CHIPS, chip, history
from groundrl.synthesis.report.showcase import ShownImage

IMAGE_SIDE, CROP_SIDE = 440, 110
"""Pixels of the longer side."""
MOST_CROPS: Final = 12
CROWDED: Final = 12
"""With more boxes their numbers show one at a time."""
CAPTION_KEYS: Final = ("verdict", "error", "level", "planted")
"""What captions can be filtered by; questions by their kind."""
WHOLE, CROP = "whole image", "crop"

Corners = tuple[float, float, float, float]


def image_card(shown: ShownImage, measured: bool) -> str:
    """``measured``: errors were planted, so that it is known which captions are wrong."""
    annotated = shown.annotated
    try:
        image = annotated.image.source.load()
    except UnreadableImageError:
        image = None
    places = {region.box.corners: i for i, region in reversed([*enumerate(annotated.regions)])}
    body = (
        _captions(shown, image, places, measured)
        + _linked_caption(merge(annotated).caption, places)
        + _questions(shown.samples, places)
    )
    return (
        f'<article class="card sheet"><div class="look">{_image_with_boxes(shown, image)}'
        f'{_about(shown)}</div><div class="about">{body}</div></article>'
    )


def _about(shown: ShownImage) -> str:
    annotated, image = shown.annotated, shown.annotated.image.source
    regions = len(annotated.regions)
    texts = [
        annotated.image.id,
        shown.split,
        f"{image.width} x {image.height}",
        "1 region" if regions == 1 else f"{regions} regions",
    ]
    if regions > MOST_BOXES:
        texts.append(f"{MOST_BOXES} of them drawn")
    return f'<p class="chips">{"".join(map(chip, texts))}</p>'


def _image_with_boxes(shown: ShownImage, image: Image.Image | None) -> str:
    """The regions in the colours of what became of their crops."""
    annotated, source = shown.annotated, shown.annotated.image.source
    size = source.width, source.height
    endings = {
        b.crop.region: b.final_decision for b in annotated.crop_captions if b.crop is not None
    }
    order = sorted(range(len(annotated.regions)), key=lambda i: annotated.regions[i] not in endings)
    boxes = [
        _box(i, annotated.regions[i], endings.get(annotated.regions[i]), size)
        for i in order[:MOST_BOXES]
    ]
    inside = '<span class="absent">the image is not here</span>'
    if image is not None:
        address = inline_jpeg(image, IMAGE_SIDE)
        inside = f'<img width="{size[0]}" height="{size[1]}" alt="" src="{address}">'
    drawn = image_frame(inside, boxes, size)
    return f'<div class="crowded">{drawn}</div>' if len(boxes) > CROWDED else drawn


def _box(
    index: int, region: Region, ending: FinalDecision | None, size: tuple[int, int]
) -> tuple[float, str]:
    kind = "said" if ending is FinalDecision.REJECTED else "unseen" if ending is None else "true"
    told = "not looked at" if ending is None else ending
    name = f"{index + 1}: {_region(region)}, {told}"
    return box_layer(kind, f"r{index}", name, region.box, size, index + 1)


def _region(region: Region) -> str:
    return region.label + ("" if region.score == 1 else f" {region.score:.2f}")


def _captions(
    shown: ShownImage, image: Image.Image | None, places: Mapping[Corners, int], measured: bool
) -> str:
    whole, *branches = shown.captions
    # Those with something to see come first where not all can be shown.
    order = sorted(
        range(len(branches)), key=lambda i: branches[i].final_decision is FinalDecision.KEPT
    )
    kept = [branches[i] for i in sorted(order[:MOST_CROPS])]
    of = shown.annotated.image
    entries = _entry(of, whole, None, None, measured) + "".join(
        _entry(of, branch, image, places, measured) for branch in kept
    )
    left = len(branches) - len(kept)
    more = f'<p class="soft">and {left} more crops</p>' if left else ""
    return (
        f'<div class="entries captions" data-keys="{" ".join(CAPTION_KEYS)}">{entries}</div>{more}'
    )


def _entry(
    of: InputImage,
    checked: VerifiedCaption,
    image: Image.Image | None,
    places: Mapping[Corners, int] | None,
    measured: bool,
) -> str:
    """A caption; pointing at it lights the box of its crop."""
    planted = compare_with_planted(of, checked) if measured else ""
    values = {
        "verdict": str(checked.final_decision),
        "error": [str(flaw.kind) for flaw in checked.flaws],
        "level": WHOLE if checked.crop is None else CROP,
        "planted": planted,
    }
    head, thumb, tied = f"<b>{WHOLE}</b>", "", ""
    if checked.crop is not None and places is not None:
        index = places[checked.crop.region.box.corners]
        head = f"<b>{index + 1}</b> {html.escape(_region(checked.crop.region))}"
        tied = f' tabindex="0" data-box="r{index}"'
        thumb = _thumb(checked, image)
    ending = chip(checked.final_decision, ENDING_CHIPS[checked.final_decision])
    return (
        f'<div class="entry caption" {facets(values)}{tied}>{thumb}<div>'
        f'<p class="what">{head} {ending}</p>{_planted_errors(checked, planted)}{history(checked)}'
        "</div></div>"
    )


def _thumb(checked: VerifiedCaption, image: Image.Image | None) -> str:
    if image is None or checked.crop is None:
        return ""
    box = checked.crop.box.corners
    part = image.crop((round(box[0]), round(box[1]), round(box[2]), round(box[3])))
    return f'<img alt="crop" src="{inline_jpeg(part, CROP_SIDE)}">'


def _planted_errors(checked: VerifiedCaption, planted: str) -> str:
    """Which errors the teacher put in, and whether they were found."""
    if not planted:
        return ""
    told = ", ".join(f"{flaw.kind} “{flaw.span}”" for flaw in checked.caption.planted)
    what = chip(planted, "right" if planted == "caught" else "wrong")
    return f'<p class="why">planted: {html.escape(told or "nothing")} {what}</p>'


def _linked_caption(caption: Segments, places: Mapping[Corners, int]) -> str:
    """What is left of both levels, pointing."""
    inside = _segments(caption, places) or '<span class="tag">nothing is left to say</span>'
    return f'<h3>merged caption</h3><p class="text">{inside}</p>'


def _segments(segments: Segments, places: Mapping[Corners, int]) -> str:
    return "".join(
        html.escape(part) if isinstance(part, str) else _phrase(part, places) for part in segments
    )


def _phrase(one: Grounding, places: Mapping[Corners, int]) -> str:
    index = places[one.box.corners]
    return (
        f'<span class="phrase true" tabindex="0" data-box="r{index}"><sup>{index + 1}</sup>'
        f"{html.escape(one.label)}</span>"
    )


def _questions(samples: Sequence[Sample], places: Mapping[Corners, int]) -> str:
    entries = "".join(_question(sample, places) for sample in samples)
    none = "" if samples else '<p class="soft">no questions</p>'
    return (
        '<h3>questions</h3><div class="entries questions" data-keys="question">'
        f"{entries}</div>{none}"
    )


def _question(sample: Sample, places: Mapping[Corners, int]) -> str:
    options = ", ".join(
        f"<b>{html.escape(option)}</b>" if option in sample.answers else html.escape(option)
        for option in sample.options or sample.answers
    )
    rationale = _segments(sample.rationale or (), places)
    return (
        f'<div class="entry" {facets({"question": sample.kind})}>'
        f'<p class="question">{chip(sample.kind)} {html.escape(cut(sample.question))}</p>'
        f'<p class="options">{options}</p><p class="text">{rationale}</p></div>'
    )
