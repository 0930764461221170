"""An image of a synthesis as a card: regions, captions of both levels, verdicts, questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup
from PIL import Image

from groundrl.detectors.records import InputImage, Region
from groundrl.images import UnreadableImageError
from groundrl.records import Sample, Segments
from groundrl.report.page import load_templates
from groundrl.report.pictures.image_view import (
    MAX_BOXES,
    BoxView,
    ImageView,
    Size,
    inline_jpeg,
    view_box,
    view_image,
)
from groundrl.synthesis.annotations import FinalDecision, VerifiedCaption
from groundrl.synthesis.merge import merge
from groundrl.synthesis.quality import compare_with_planted
from groundrl.synthesis.report.captions import DECISION_CLASSES, CaptionStep, caption_steps
from groundrl.synthesis.report.selection import ImageResult

IMAGE_SIDE, CROP_SIDE = 440, 110
"""Pixels of the longer side."""
MAX_CROPS: Final = 12
CROWDED: Final = 12
"""An image with more boxes shows the number of the highlighted one only."""
CAPTION_KEYS: Final = ("verdict", "error", "level", "planted")
"""What captions can be filtered by; questions by their kind."""
WHOLE, CROP = "whole image", "crop"

TEMPLATES = load_templates("groundrl.synthesis.report")

Corners = tuple[float, float, float, float]
Numbers = Mapping[Corners, int]
"""Number of each region, counted from 1, by the corners of its box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionView:
    """A caption and its verdicts."""

    filters: Mapping[str, str]
    """What the caption can be filtered by; several values are lines."""
    number: int | None
    """Of its region; None for the caption of the whole image."""
    name: str
    crop: Markup | None
    """``data:`` address."""
    decision: str
    decision_class: str
    planted: str
    """"caught", "missed", "false alarm", or empty."""
    planted_errors: str
    steps: Sequence[CaptionStep]

    @property
    def box(self) -> str | None:
        """Key of the box that is highlighted together with the caption."""
        return None if self.number is None else f"r{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedPhrase:
    """A phrase that points at the box of a region."""

    number: int
    label: str

    @property
    def box(self) -> str:
        """Key of the box."""
        return f"r{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionView:
    """A question with its rationale."""

    kind: str
    text: str
    options: Sequence[str]
    answers: Sequence[str]
    """The right ones."""
    rationale: Sequence[str | LinkedPhrase]


def image_card(result: ImageResult, measured: bool) -> Markup:
    """The card as HTML.

    ``measured``: the teacher planted errors, so that it is known which captions are wrong.
    """
    annotated = result.annotated
    try:
        image = annotated.image.source.load()
    except UnreadableImageError:
        image = None
    # Of regions with the same box the first one counts.
    numbers = {
        region.box.corners: number
        for number, region in reversed([*enumerate(annotated.regions, start=1)])
    }
    crops = _pick_crops(annotated.crop_captions)
    view = _view_regions(result, image)
    html = TEMPLATES.get_template("image_card.html.jinja").render(
        image=view,
        is_crowded=len(view.boxes) > CROWDED,
        facts=_list_facts(result),
        caption_keys=CAPTION_KEYS,
        captions=[
            _view_caption(annotated.image, checked, image, numbers, measured)
            for checked in (annotated.image_caption, *crops)
        ],
        crops_left=len(annotated.crop_captions) - len(crops),
        merged=_link_phrases(merge(annotated).caption, numbers),
        questions=[_view_question(sample, numbers) for sample in result.samples],
    )
    return Markup(html)


def _list_facts(result: ImageResult) -> list[str]:
    image, regions = result.annotated.image.source, len(result.annotated.regions)
    facts = [
        result.annotated.image.id,
        result.split,
        f"{image.width} x {image.height}",
        "1 region" if regions == 1 else f"{regions} regions",
    ]
    return facts + ([f"{MAX_BOXES} of them drawn"] if regions > MAX_BOXES else [])


def _view_regions(result: ImageResult, image: Image.Image | None) -> ImageView:
    """The regions in the colours of the final decisions on their captions; those with a caption
    come first where not all can be shown."""
    annotated, source = result.annotated, result.annotated.image.source
    size = source.width, source.height
    decisions = {
        b.crop.region: b.final_decision for b in annotated.crop_captions if b.crop is not None
    }
    numbered = sorted(
        enumerate(annotated.regions, start=1), key=lambda one: one[1] not in decisions
    )
    boxes = [
        _view_region(number, region, decisions.get(region), size)
        for number, region in numbered[:MAX_BOXES]
    ]
    return view_image(None if image is None else inline_jpeg(image, IMAGE_SIDE), size, boxes)


def _view_region(
    number: int, region: Region, decision: FinalDecision | None, size: Size
) -> BoxView:
    if decision is None:
        kind = "dotted"
    else:
        kind = "magenta" if decision is FinalDecision.REJECTED else "green"
    name = f"{number}: {_name_region(region)}, {decision or 'no caption'}"
    return view_box(region.box, size, kind=kind, key=f"r{number}", name=name, mark=str(number))


def _name_region(region: Region) -> str:
    return region.label + ("" if region.score == 1 else f" {region.score:.2f}")


def _pick_crops(captions: Sequence[VerifiedCaption]) -> list[VerifiedCaption]:
    """At most ``MAX_CROPS`` in their order; those that were kept are left out first."""
    order = sorted(
        range(len(captions)), key=lambda i: captions[i].final_decision is FinalDecision.KEPT
    )
    return [captions[i] for i in sorted(order[:MAX_CROPS])]


def _view_caption(
    source: InputImage,
    checked: VerifiedCaption,
    image: Image.Image | None,
    numbers: Numbers,
    measured: bool,
) -> CaptionView:
    planted = compare_with_planted(source, checked) if measured else ""
    crop = checked.crop
    return CaptionView(
        filters={
            "verdict": checked.final_decision,
            "error": "\n".join(error.kind for error in checked.flaws),
            "level": WHOLE if crop is None else CROP,
            "planted": planted,
        },
        number=None if crop is None else numbers[crop.region.box.corners],
        name=WHOLE if crop is None else _name_region(crop.region),
        crop=None if crop is None or image is None else _cut_out(image, crop.box.corners),
        decision=checked.final_decision,
        decision_class=DECISION_CLASSES[checked.final_decision],
        planted=planted,
        planted_errors=", ".join(f"{e.kind} “{e.span}”" for e in checked.caption.planted),
        steps=caption_steps(checked),
    )


def _cut_out(image: Image.Image, corners: Corners) -> Markup:
    left, top, right, bottom = map(round, corners)
    return inline_jpeg(image.crop((left, top, right, bottom)), CROP_SIDE)


def _link_phrases(segments: Segments, numbers: Numbers) -> list[str | LinkedPhrase]:
    return [
        part
        if isinstance(part, str)
        else LinkedPhrase(number=numbers[part.box.corners], label=part.label)
        for part in segments
    ]


def _view_question(sample: Sample, numbers: Numbers) -> QuestionView:
    return QuestionView(
        kind=sample.kind,
        text=sample.question,
        options=sample.options or sample.answers,
        answers=sample.answers,
        rationale=_link_phrases(sample.rationale or (), numbers),
    )
