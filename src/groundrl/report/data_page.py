"""The page of a data set: what is asked, what should be answered, and what is odd about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from groundrl.data.survey import AREAS, KindSummary
from groundrl.records import Grounding, Sample
from groundrl.report.answers.text import AnswerText, split_text
from groundrl.report.page import TEMPLATES
from groundrl.report.pictures.image_view import (
    MAX_BOXES,
    ImageView,
    inline_jpeg,
    view_box,
    view_image,
)
from groundrl.report.tables import Table

IMAGE_SIDE, FURTHER_IMAGE_SIDE = 400, 120
"""Pixels of the longer side of the first image of a card, and of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetText:
    """What the warm-up teaches to answer."""

    text: str
    groundings: Sequence[Grounding]
    """Its boxes, in pixels of the first image."""
    spans: Sequence[tuple[int, int]]
    """Their places in the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleView:
    """A sample as the model meets it."""

    set: str
    sample: Sample
    prompt: str
    target: TargetText | None
    """None where the sample has no rationale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCard:
    """What a card shows."""

    view: SampleView
    filters: dict[str, str]
    image: ImageView
    further_images: list[Markup]
    """``data:`` addresses."""
    target: AnswerText | None


def kind_table(name: str, size: int, kinds: Sequence[KindSummary]) -> Table:
    """One row per kind of question of a set of ``size`` samples."""
    seen = sum(kind.count for kind in kinds)
    rows = tuple(
        (
            kind.kind,
            str(kind.count),
            f"{kind.boxes:.1f}",
            f"{kind.options:.1f}",
            f"{kind.rationales:.2f}",
            _shorten(kind.common_answer),
            f"{kind.common_share:.2f}" if kind.common_share else "",
            f"{kind.chance:.2f}" if kind.chance else "",
            "" if kind.text_only is None else f"{kind.text_only:.2f}",
        )
        for kind in kinds
    )
    columns = ("kind", "samples", "boxes", "options", "rationale", "commonest answer", "its share")
    looked = f"{size:,} samples" + ("" if seen == size else f", {seen:,} of them looked at")
    return Table(title=f"{name}: {looked}", columns=(*columns, "chance", "text alone"), rows=rows)


def area_table(counts: dict[str, list[int]]) -> Table:
    """Boxes by size, one row per set."""
    bounds = tuple(f"{100 * a:g} to {100 * b:g} %" for a, b in pairwise(AREAS))
    rows = tuple((name, *map(str, found)) for name, found in counts.items())
    return Table(title="Boxes by their share of the image", columns=("set", *bounds), rows=rows)


def render_data_page(
    title: str,
    *,
    facts: Sequence[str],
    problems: Sequence[str],
    warnings: Sequence[str],
    tables: Sequence[Table],
    samples: Sequence[SampleView],
) -> str:
    """The whole page. ``problems`` stop a training, ``warnings`` do not."""
    cards = [_make_card(view) for view in samples]
    keys = cards[0].filters if cards else {}
    return TEMPLATES.get_template("data.html.jinja").render(
        title=title,
        facts=facts,
        problems=problems,
        warnings=warnings,
        tables=tables,
        cards=cards,
        choices={key: sorted({card.filters[key] for card in cards}) for key in keys},
    )


def _make_card(view: SampleView) -> SampleCard:
    sample, target = view.sample, view.target
    shown = sample.groundings if target is None else target.groundings
    size = max(sample.image.width, 1), max(sample.image.height, 1)
    boxes = [
        view_box(
            item.box,
            size,
            kind="green",
            key=f"predicted{index}",  # as the phrases of the text
            name=item.label,
            mark=str(index + 1),
        )
        for index, item in enumerate(shown[:MAX_BOXES])
    ]
    text = None if target is None else split_text(target.text, target.groundings, target.spans)
    return SampleCard(
        view=view,
        filters={"set": view.set, "kind": sample.kind},
        image=view_image(inline_jpeg(sample.image.load(), IMAGE_SIDE), size, boxes),
        further_images=[
            inline_jpeg(image.load(), FURTHER_IMAGE_SIDE) for image in sample.context_images
        ],
        target=text,
    )


def _shorten(text: str, most: int = 30) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
