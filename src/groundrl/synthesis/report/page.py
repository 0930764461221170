"""``report.html`` of a synthesis: which samples came from which images, and what was rejected."""

import textwrap
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from markupsafe import Markup

from groundrl.report.charts.svg import Dot, dot_whisker
from groundrl.report.tables import Table, number
from groundrl.synthesis.annotations import PLANTABLE_KINDS, ErrorKind, FinalDecision
from groundrl.synthesis.report.cards import CROP, TEMPLATES, WHOLE, image_card
from groundrl.synthesis.report.selection import WORST_FIRST, ImageResult, ImageSelection

MAX_BYTES: Final = 16_000_000
"""Of cards; further ones are left out."""
MAX_ROWS: Final = 12
"""Of the table of reasons."""
MAX_REASON: Final = 120
"""Characters of a reason in that table."""
SPLITS: Final = ("train", "heldout")

Figures = Mapping[str, float]


def synthesis_page(
    title: str,
    facts: Sequence[str],
    made_by: Mapping[str, Any],
    figures: Figures,
    selection: ImageSelection,
    config: str,
) -> str:
    """One document that needs no other file. ``made_by``: names of the parts that made regions,
    captions and so on; ``figures``: counts and the verifier's quality under the names of
    ``metrics.json``."""
    measured = _count(figures, "planted") > 0
    cards = _draw_cards(selection, measured)
    shown = selection.images[: len(cards)]
    decisions = {caption.final_decision for image in shown for caption in image.captions}
    reasons = _tabulate_reasons(selection)
    return TEMPLATES.get_template("synthesis.html.jinja").render(
        title=title,
        facts=[*facts, *(f"{what}: {name or 'none'}" for what, name in made_by.items())],
        counts=_tabulate_counts(figures),
        question_counts=_tabulate_questions(figures),
        decisions=_tabulate_decisions(figures),
        rejections=_tabulate_rejections(figures),
        errors=_tabulate_errors(figures, measured),
        reasons=reasons,
        reasons_left=len(selection.reasons) - len(reasons.rows),
        planted=_count(figures, "planted"),
        captions=_count(figures, "captions"),
        quality_plots=_plot_quality(figures) if measured else [],
        choices=_list_choices(shown, measured),
        several_decisions=len(decisions) > 1,
        images=selection.seen,
        cards=cards,
        config=config,
    )


def _make_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return Table(columns=tuple(columns), rows=tuple(map(tuple, rows)), title=title)


def _count(figures: Figures, name: str) -> int:
    return int(figures.get(name, 0))


def _sum(figures: Figures, head: str) -> int:
    return int(sum(value for name, value in figures.items() if name.startswith(head)))


def _tabulate_counts(figures: Figures) -> Table:
    """Numbers of regions, captions and questions, in all and per image."""
    unfinished = _count(figures, "unfinished")
    images = _count(figures, "images") - unfinished
    counts = {
        "images": images,
        "regions": _count(figures, "regions"),
        "captions of whole images": _sum(figures, "level_1/"),
        "captions of crops": _sum(figures, "level_2/"),
        "questions": _sum(figures, "samples/"),
    }
    rows = [(name, f"{count:,}", f"{count / max(images, 1):.2f}") for name, count in counts.items()]
    if unfinished:
        rows.append(("images unfinished: a model was unreachable", f"{unfinished:,}", ""))
    if "skipped" in figures:
        skipped = _count(figures, "skipped")
        rows.append(("images skipped: not usable, or no labels", f"{skipped:,}", ""))
    return _make_table("stage by stage", ("stage", "count", "per image"), rows)


def _tabulate_questions(figures: Figures) -> Table:
    kinds = {
        name.rpartition("/")[2] for name in figures if name.startswith(("samples/", "dropped/"))
    }
    rows = [
        (
            kind,
            *(f"{_count(figures, f'samples/{split}/{kind}'):,}" for split in SPLITS),
            f"{_count(figures, f'dropped/{kind}'):,}",
        )
        for kind in sorted(kinds)
    ]
    title = "questions by kind; dropped: the boxes do not give the answer"
    return _make_table(title, ("question", *SPLITS, "dropped"), rows)


def _tabulate_decisions(figures: Figures) -> Table:
    rows = []
    for level, name in ((1, WHOLE), (2, CROP)):
        total = _sum(figures, f"level_{level}/")
        counts = [_count(figures, f"level_{level}/{decision}") for decision in FinalDecision]
        if total:
            shares = (f"{count:,} ({count / total:.1%})" for count in counts)
            rows.append((name, f"{total:,}", *shares))
    return _make_table("final decisions", ("caption of a", "all", *FinalDecision), rows)


def _tabulate_rejections(figures: Figures) -> Table:
    rows = [
        (name.partition("/")[2], f"{_count(figures, name):,}")
        for name in sorted(figures)
        if name.startswith("rejected/")
    ]
    return _make_table("why captions were rejected", ("error", "captions"), rows)


def _tabulate_reasons(selection: ImageSelection) -> Table:
    rows = [
        (textwrap.shorten(reason, MAX_REASON, placeholder=" …"), error, decision, f"{count:,}")
        for (decision, error, reason), count in selection.most_frequent(MAX_ROWS)
    ]
    return _make_table("reasons", ("reason", "error", "verdict", "times"), rows)


def _tabulate_errors(figures: Figures, measured: bool) -> Table:
    """Kinds of error, and how well they are found where it is known which captions are wrong."""
    rows = []
    for kind in ErrorKind:
        found, planted = (_count(figures, f"{name}/{kind}") for name in ("flagged", "planted"))
        if found or planted:
            names = (f"verification/{name}/{kind}" for name in ("precision", "recall"))
            quality = (number(figures[name]) if name in figures else "" for name in names)
            more = (f"{planted:,}", *quality) if measured else ()
            rows.append((str(kind), f"{found:,}", *more))
    columns = ("planted", "precision", "recall") if measured else ()
    return _make_table("captions found wrong", ("error", "found", *columns), rows)


def _plot_quality(figures: Figures) -> list[Markup]:
    """How many of the planted errors the verification finds."""

    def dots(name: str) -> list[Dot]:
        heads = {str(kind): f"verification/{name}/{kind}" for kind in PLANTABLE_KINDS}
        return [_dot(figures, kind, head) for kind, head in heads.items() if head in figures]

    plots = [
        ("precision: of the captions found wrong, those with such an error", dots("precision")),
        ("recall: of the captions with such an error, those found wrong", dots("recall")),
        (
            "right captions changed or rejected, errors and false regions that survive",
            [
                _dot(figures, what, f"verification/{name}")
                for name, what in (
                    ("clean_flagged", "changed"),
                    ("clean_rejected", "rejected"),
                    ("survived", "surviving"),
                    ("false_regions_kept", "false regions"),
                )
                if f"verification/{name}" in figures
            ],
        ),
    ]
    return [dot_whisker(title, found) for title, found in plots if found]


def _dot(figures: Figures, shown: str, name: str) -> Dot:
    value = figures[name]
    low, high = (figures.get(name + end, value) for end in ("_low", "_high"))
    return Dot(name=shown, value=value, low=low, high=high)


def _draw_cards(selection: ImageSelection, measured: bool) -> list[Markup]:
    """The cards of the selected images, in order, as far as ``MAX_BYTES`` reach."""
    cards, size = [], 0
    # Threads help: images are decoded and encoded outside of Python's lock.
    with ThreadPoolExecutor() as pool:
        for card in pool.map(partial(image_card, measured=measured), selection.images):
            cards.append(card)
            size += len(card)
            if size > MAX_BYTES:
                break
        pool.shutdown(cancel_futures=True)
    return cards


def _list_choices(images: Sequence[ImageResult], measured: bool) -> dict[str, list[str]]:
    """What the cards can be filtered by, and the values that occur."""
    captions = [caption for image in images for caption in image.captions]
    decisions = {caption.final_decision for caption in captions}
    errors = {error.kind for caption in captions for error in caption.flaws}
    return {
        "verdict": [str(decision) for decision in WORST_FIRST if decision in decisions],
        "error": [str(kind) for kind in ErrorKind if kind in errors],
        "planted": ["caught", "missed", "false alarm"] if measured else [],
        "level": [WHOLE, CROP],
        "question": sorted({sample.kind for image in images for sample in image.samples}),
    }
