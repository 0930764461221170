"""Scores of sentences on a page: their calibration, and captions with coloured sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from groundrl.feedback.captions import OUTPUTS
from groundrl.feedback.figures import reliability
from groundrl.feedback.scores import ScoredCaption, ScoredUnit, read_scores
from groundrl.report.charts.svg import reliability_chart
from groundrl.report.page import TEMPLATES
from groundrl.report.pictures.image_view import inline_jpeg

MAX_CAPTIONS = 24
"""Shown: half of them those with the largest mistakes, half spread over the others."""
IMAGE_SIDE = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """A piece of a caption; ``unit`` is None between sentences."""

    text: str
    unit: ScoredUnit | None

    @property
    def percent(self) -> int:
        """Strength of the colour: the probability of an error in per cent."""
        return 0 if self.unit is None else round(100 * self.unit.scores[OUTPUTS[0]])

    @property
    def is_wrong(self) -> bool:
        """Whether the annotators say so."""
        return self.unit is not None and self.unit.has(OUTPUTS[0])

    @property
    def note(self) -> str:
        """The probability, and the errors that annotators see."""
        if self.unit is None:
            return ""
        errors = [name for name in OUTPUTS[1:] if self.unit.has(name)]
        return f"{self.percent} % wrong; labelled {', '.join(errors) or self.label}"

    @property
    def label(self) -> str:
        """One word."""
        return "wrong" if self.is_wrong else "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionCard:
    """What a card shows."""

    caption: ScoredCaption
    image: Markup | None
    """``data:`` address."""
    parts: list[TextPart]


def sentence_section(run_dir: Path) -> Markup:
    """Reliability plot and cards as HTML; empty for a run without scored sentences."""
    captions = read_scores(run_dir)
    if not captions:
        return Markup()
    bins = [
        (one.probability, one.wrong.mean, one.wrong.low, one.wrong.high, one.wrong.n)
        for one in reliability(captions)
    ]
    html = TEMPLATES.get_template("sentences.html.jinja").render(
        plot=reliability_chart("probability of an error, and share that is wrong", bins),
        cards=[_card(run_dir, caption) for caption in pick_captions(captions)],
        total=len(captions),
    )
    return Markup(html)


def pick_captions(captions: Sequence[ScoredCaption]) -> list[ScoredCaption]:
    """The captions with the largest mistakes, largest first, then some of the others in their
    order."""
    ranked = sorted(captions, key=_mistake, reverse=True)
    worst = ranked[: MAX_CAPTIONS // 2]
    shown = {id(one) for one in worst}
    others = [one for one in captions if id(one) not in shown]
    step = max(1, -(-len(others) // (MAX_CAPTIONS - len(worst))))
    return worst + others[::step]


def _mistake(caption: ScoredCaption) -> float:
    """Largest distance of probability and label over the sentences."""
    name = OUTPUTS[0]
    return max(abs(unit.scores[name] - unit.labels[name]) for unit in caption.units)


def _card(run_dir: Path, caption: ScoredCaption) -> CaptionCard:
    file = run_dir / caption.image
    image = None
    if file.is_file():
        with Image.open(file) as opened:
            image = inline_jpeg(opened, IMAGE_SIDE)
    parts, place = list[TextPart](), 0
    for unit in caption.units:
        parts.append(TextPart(text=caption.text[place : unit.start], unit=None))
        parts.append(TextPart(text=caption.text[unit.start : unit.stop], unit=unit))
        place = unit.stop
    parts.append(TextPart(text=caption.text[place:], unit=None))
    return CaptionCard(caption=caption, image=image, parts=[one for one in parts if one.text])
