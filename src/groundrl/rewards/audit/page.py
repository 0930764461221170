"""The page and the tables of an audit."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup
from PIL.Image import Image

from groundrl.records import NamedImage, Sample
from groundrl.report.answers.text import AnswerText, split_text
from groundrl.report.page import load_templates
from groundrl.report.pictures.image_view import (
    MAX_BOXES,
    ImageView,
    inline_jpeg,
    view_image,
    view_predicted_box,
    view_true_box,
)
from groundrl.report.tables import Table
from groundrl.rewards.audit.audit import SEARCHED, Audit, Finding
from groundrl.rewards.audit.search import Judged

IMAGE_SIDE = 400
"""Pixels of the longer side of an image on the page."""
SHOWN_CHEATS, SHOWN_FOUND = 6, 6
"""Cards of cheats of the bank that pay, and of what the search found, for each reward."""
TEMPLATES = load_templates("groundrl.rewards.audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheatRow:
    """What one kind of cheat earns under one reward, over all samples that it applies to."""

    name: str
    worse_in: frozenset[str]
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> bool:
        """Whether it is a cheat under this reward."""
        return any(finding.is_cheat for finding in self.findings)

    @property
    def paying(self) -> int:
        """On how many samples it pays."""
        return sum(finding.pays for finding in self.findings)

    @property
    def earns(self) -> float:
        """Mean reward."""
        return sum(one.judged.score.total for one in self.findings) / len(self.findings)

    @property
    def closest(self) -> float:
        """The most that it earns above the honest completion that earns least; negative where
        cheating does not pay."""
        return max(
            one.judged.score.total - one.lowest.score.total
            for one in self.findings
            if one.is_cheat or not self.counts
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """A row of the table under one reward."""

    text: str
    title: str
    kind: str
    """CSS class: "pays", "quiet" where it is no cheat, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """A row of the page's table."""

    name: str
    worse_in: str
    samples: int
    cells: tuple[CellView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheatCard:
    """A cheat beside the honest completion that it is compared with."""

    title: str
    pays: bool
    sample: Sample
    image: ImageView
    text: AnswerText
    honest_name: str
    honest_text: AnswerText
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """The section of one reward."""

    name: str
    measured: str
    summary: str
    cheats: list[CheatCard]
    found: list[CheatCard]


def cheat_rows(audit: Audit) -> list[CheatRow]:
    """One per kind of completion, honest ones first."""
    by_name = sorted(audit.findings, key=lambda one: (bool(one.entry.worse_in), one.entry.name))
    rows = []
    for (_, name), group in groupby(
        by_name, key=lambda one: (bool(one.entry.worse_in), one.entry.name)
    ):
        findings = tuple(group)
        worse_in = frozenset[str]().union(*(one.entry.worse_in for one in findings))
        rows.append(CheatRow(name=name, worse_in=worse_in, findings=findings))
    return rows


def cheat_table(audit: Audit) -> Table:
    """For the terminal; a figure in brackets belongs to what is no cheat under this reward."""
    rows = tuple(
        (
            row.name,
            ", ".join(sorted(row.worse_in)) or "(honest)",
            str(len(row.findings)),
            f"{row.earns:.2f}" if row.counts or not row.worse_in else f"({row.earns:.2f})",
            f"{row.closest:+.2f}" if row.counts else "",
            f"pays on {row.paying}" if row.paying else "",
        )
        for row in cheat_rows(audit)
    )
    columns = ("completion", "worse in", "samples", "earns", "closest", "")
    return Table(columns=columns, rows=rows)


def summarize(audit: Audit) -> str:
    """One sentence: what pays, or how close the closest cheat comes."""
    rows = [row for row in cheat_rows(audit) if row.counts]
    if not rows:
        return "it claims to measure nothing that a cheat is worse in"
    edits = f" and {audit.steps:,} edits of honest completions" if audit.steps else ""
    start = f"{len(rows)} kinds of cheats{edits}: "
    if audit.paying:
        known = "" if audit.undeclared else ", as its terms declare"
        return f"{start}{', '.join(audit.paying)} pay{known}"
    closest = max(rows, key=lambda row: row.closest)
    end = f"none pays; {closest.name} comes closest ({closest.closest:+.2f})"
    if audit.searched and audit.searched[0].surplus > closest.closest:
        end = f"none pays; one that was {SEARCHED} comes closest"
        end += f" ({audit.searched[0].surplus:+.3f})"
    return start + end


def render_page(audits: Sequence[Audit], facts: Sequence[str]) -> str:
    """The whole page; ``facts`` stand at its top."""
    return TEMPLATES.get_template("audit.html.jinja").render(
        title="Does cheating pay?",
        facts=facts,
        names=[audit.name for audit in audits],
        rows=_view_rows(audits),
        audits=[_view_audit(audit) for audit in audits],
    )


def _view_rows(audits: Sequence[Audit]) -> list[RowView]:
    """Honest completions, then cheats, the closest first. The bank is the same for all rewards, so
    the rows are, too."""
    by_cheat = sorted(zip(*map(cheat_rows, audits), strict=True), key=_row_rank)
    return [
        RowView(
            name=rows[0].name,
            worse_in=", ".join(sorted(rows[0].worse_in)) or "honest",
            samples=len(rows[0].findings),
            cells=tuple(_view_cell(row) for row in rows),
        )
        for rows in by_cheat
    ]


def _row_rank(rows: Sequence[CheatRow]) -> tuple[bool, int, float]:
    closest = [row.closest for row in rows if row.counts]
    return (
        bool(rows[0].worse_in),
        -sum(row.paying for row in rows),
        -max(closest, default=-math.inf),
    )


def _view_cell(row: CheatRow) -> CellView:
    title = f"earns {row.earns:.2f} on average; {row.closest:+.3f} beside the honest"
    if row.paying:
        text = f"{row.closest:+.2f} on {row.paying}"
        return CellView(text=text, title=title, kind="pays")
    if not row.worse_in:
        return CellView(text=f"{row.earns:.2f}", title=title, kind="")
    if not row.counts:
        return CellView(text="·", title="no cheat under this reward", kind="quiet")
    return CellView(text=f"{row.closest:+.2f}", title=title, kind="")


def _view_audit(audit: Audit) -> AuditView:
    paying = [row for row in cheat_rows(audit) if row.paying]
    examples = [max(row.findings, key=_example_rank) for row in paying]
    examples.sort(key=_example_rank, reverse=True)
    found = [one for one in audit.searched if one.pays] or list(audit.searched[:1])
    return AuditView(
        name=audit.name,
        measured=", ".join(sorted(audit.measured)) or "nothing",
        summary=summarize(audit),
        cheats=[
            _view_card(one.entry.name, one.judged, one.lowest, pays=True)
            for one in examples[:SHOWN_CHEATS]
        ],
        found=[
            _view_card(
                SEARCHED if one.pays else "closest of the search",
                one.cheat,
                one.honest,
                pays=one.pays,
            )
            for one in found[:SHOWN_FOUND]
        ],
    )


def _example_rank(finding: Finding) -> tuple[bool, bool, float]:
    """The clearest example of a cheat that pays: about something that can be pointed at."""
    surplus = finding.judged.score.total - finding.lowest.score.total
    return finding.pays, bool(finding.entry.case.sample.groundings), surplus


def _view_card(title: str, cheat: Judged, honest: Judged, *, pays: bool) -> CheatCard:
    sample = cheat.attempt.sample
    terms = ", ".join(f"{k} {v:.2f}" for k, v in cheat.score.parts.items() if v is not None)
    return CheatCard(
        title=title,
        pays=pays,
        sample=sample,
        image=_view_boxes(cheat, sample),
        text=_split(cheat),
        honest_name=honest.name,
        honest_text=_split(honest),
        facts=(
            f"earns {cheat.score.total:.3f} ({terms or 'no term applies'})",
            f"{honest.name} earns {honest.score.total:.3f}",
            *_compare_quality(cheat, honest),
            sample.kind,
        ),
    )


def _compare_quality(cheat: Judged, honest: Judged) -> Iterable[str]:
    """Each aspect that differs."""
    for aspect, value in cheat.quality.items():
        if round(value, 2) != round(honest.quality[aspect], 2):
            yield f"{aspect} {value:.2f}, not {honest.quality[aspect]:.2f}"


def _split(judged: Judged) -> AnswerText:
    parsed = judged.attempt.parsed
    return split_text(judged.attempt.completion.text, parsed.groundings, parsed.spans)


def _view_boxes(judged: Judged, sample: Sample) -> ImageView:
    size = sample.image.width, sample.image.height
    predicted = judged.attempt.parsed.groundings[:MAX_BOXES]
    boxes = [view_true_box(i, one, size) for i, one in enumerate(sample.groundings)]
    boxes += [view_predicted_box(i, one, size) for i, one in enumerate(predicted)]
    return view_image(load_inline(sample), size, boxes)


def load_inline(sample: Sample) -> Markup | None:
    """The sample's image for a page; None where only its name is known."""
    if isinstance(sample.image, NamedImage):
        return None
    image: Image = sample.image.load()
    return inline_jpeg(image, IMAGE_SIDE)
