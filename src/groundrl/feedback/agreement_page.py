"""The page of an agreement: both labels of each caption side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from groundrl.feedback.label_pairs import LabelPair, differ
from groundrl.feedback.labels import SentenceError, SentenceLabel
from groundrl.files import write_text
from groundrl.report.page import load_templates
from groundrl.report.pictures.image_view import ImageView, inline_jpeg, view_image
from groundrl.report.tables import Table

CAPTIONS_SHOWN = 100
IMAGE_SIDE = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceView:
    """A sentence with both labels."""

    text: str
    labels: tuple[SentenceLabel, SentenceLabel]

    @property
    def differs(self) -> bool:
        """Whether the labels are not equal."""
        return differ(*self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionCard:
    """A caption on the page."""

    id: str
    question: str
    image: ImageView
    sentences: tuple[SentenceView, ...]
    filters: Mapping[str, str]


def write_agreement_page(
    path: Path,
    pairs: Sequence[LabelPair],
    annotators: tuple[str, str],
    table: Table,
    notes: Sequence[str],
) -> None:
    """Write the table and the first captions of ``pairs`` as one HTML file."""
    html = (
        load_templates("groundrl.feedback")
        .get_template("agreement.html.jinja")
        .render(
            title=f"{annotators[0]} and {annotators[1]}",
            annotators=annotators,
            table=table,
            notes=notes,
            cards=[_card(pair) for pair in pairs[:CAPTIONS_SHOWN]],
            total=len(pairs),
            choices={"labels": ["differ", "agree"], "errors": [str(one) for one in SentenceError]},
        )
    )
    write_text(path, html)


def _card(pair: LabelPair) -> CaptionCard:
    image = pair.a.image
    errors = {error for a, b in pair.sentences for error in {*a.errors} ^ {*b.errors}}
    return CaptionCard(
        id=pair.a.id,
        question=pair.a.question,
        image=view_image(
            inline_jpeg(image.load(), IMAGE_SIDE), (image.width, image.height), boxes=()
        ),
        sentences=tuple(
            SentenceView(text=pair.a.text[labels[0].start : labels[0].stop], labels=labels)
            for labels in pair.sentences
        ),
        filters={
            "labels": "differ" if pair.differing else "agree",
            "errors": "\n".join(sorted(errors)),
        },
    )
