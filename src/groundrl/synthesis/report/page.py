"""``report.html`` of a synthesis: what was made of which images, and what was thrown away."""

import html
import textwrap
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from groundrl.report.page import chips, page, section
from groundrl.report.parts import HINT, filters
from groundrl.report.svg import Dot, dot_whisker
from groundrl.report.tables import Table, number, to_html
from groundrl.synthesis.annotations import PLANTABLE_KINDS, ErrorKind, FinalDecision
from groundrl.synthesis.report.cards import CROP, WHOLE, image_card
from groundrl.synthesis.report.showcase import WORST_FIRST, Showcase

MOST_BYTES: Final = 16_000_000
"""Of cards; further ones are left out."""
MOST_LINES: Final = 12
"""Of the table of reasons."""
LONGEST_REASON: Final = 120
SPLITS: Final = ("train", "heldout")
LEGEND: Final = (
    '<span class="key">caption kept or repaired</span> &nbsp; '
    '<span class="key said">caption rejected</span> &nbsp; '
    '<span class="key unseen">no crop of it</span>'
)

Figures = Mapping[str, float]


def synthesis_page(
    title: str,
    facts: Sequence[str],
    made_by: Mapping[str, Any],
    figures: Figures,
    showcase: Showcase,
    config: str,
) -> str:
    """One document that needs no other file. ``figures``: counts and the verifier's quality under
    the names of ``metrics.json``."""
    made = [f"{what}: {who or 'nobody'}" for what, who in made_by.items()]
    source = f'<div class="wide"><pre>{html.escape(config)}</pre></div>' if config else ""
    body = "".join(
        [
            f"<h1>{html.escape(title)}</h1>{chips([*facts, *made])}",
            section("Made", f'<div class="tables">{_stages(figures)}{_questions(figures)}</div>'),
            section("Verdicts", _verdicts(figures, showcase)),
            section("Images", _gallery(figures, showcase)),
            section("Config", source and f"<details><summary>show</summary>{source}</details>"),
        ]
    )
    return page(title, body)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Under its title; nothing without rows."""
    if not rows:
        return ""
    table = Table(columns=tuple(columns), rows=tuple(map(tuple, rows)), title=title)
    return f'<div class="wide">{to_html(table)}</div>'


def _count(figures: Figures, name: str) -> int:
    return int(figures.get(name, 0))


def _sum(figures: Figures, head: str) -> int:
    return int(sum(value for name, value in figures.items() if name.startswith(head)))


def _stages(figures: Figures) -> str:
    """What went from stage to stage."""
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
        rows.append(
            ("images skipped: not usable, or no labels", f"{_count(figures, 'skipped'):,}", "")
        )
    return _table("from stage to stage", ("stage", "count", "per image"), rows)


def _questions(figures: Figures) -> str:
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
    return _table(title, ("question", *SPLITS, "dropped"), rows)


def _verdicts(figures: Figures, showcase: Showcase) -> str:
    rows = []
    for level, what in ((1, WHOLE), (2, CROP)):
        total = _sum(figures, f"level_{level}/")
        ends = [_count(figures, f"level_{level}/{end}") for end in FinalDecision]
        shares = [f"{count:,} ({count / total:.1%})" for count in ends] if total else []
        rows += [(what, f"{total:,}", *shares)] if total else []
    endings = _table("what became of captions", ("caption of a", "all", *FinalDecision), rows)
    reasons = [
        (textwrap.shorten(reason, LONGEST_REASON, placeholder=" …"), kind, verdict, f"{count:,}")
        for (verdict, kind, reason), count in showcase.most_frequent(MOST_LINES)
    ]
    rest = len(showcase.reasons) - len(reasons)
    more = f'<p class="soft">and {rest:,} reasons less frequent than these</p>' if rest > 0 else ""
    told = _table("reasons", ("reason", "error", "verdict", "times"), reasons)
    gone = {name: _count(figures, name) for name in figures if name.startswith("rejected/")}
    why = _table(
        "why captions were rejected",
        ("what is wrong", "captions"),
        [(name.partition("/")[2], f"{count:,}") for name, count in sorted(gone.items())],
    )
    return (
        f'<div class="tables">{endings}{why}{_errors(figures)}<div>{told}{more}</div></div>'
        f"{_quality(figures)}"
    )


def _errors(figures: Figures) -> str:
    """Kinds of error, and how well they are caught where it is known which captions are wrong."""
    measured = _count(figures, "planted") > 0
    rows = []
    for kind in ErrorKind:
        found, planted = (_count(figures, f"{name}/{kind}") for name in ("flagged", "planted"))
        if found or planted:
            names = (f"verification/{name}/{kind}" for name in ("precision", "recall"))
            quality = (number(figures[name]) if name in figures else "" for name in names)
            more = (f"{planted:,}", *quality) if measured else ()
            rows.append((str(kind), f"{found:,}", *more))
    columns = ("planted", "precision", "recall") if measured else ()
    return _table("captions found wrong", ("error", "found", *columns), rows)


def _quality(figures: Figures) -> str:
    """What the verification caught of the errors that were planted."""
    if not _count(figures, "planted"):
        return (
            '<p class="soft">The teacher planted no errors: how many the verification catches is '
            "not measured here.</p>"
        )

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
    charts = "".join(dot_whisker(title, found) for title, found in plots if found)
    note = (
        f'<p class="soft">The teacher planted errors in {_count(figures, "planted"):,} of '
        f"{_count(figures, 'captions'):,} captions and owned up to them, so what the verification "
        "catches is measured; 95 % intervals.</p>"
    )
    return f'{note}<div class="charts">{charts}</div>'


def _dot(figures: Figures, shown: str, name: str) -> Dot:
    value = figures[name]
    low, high = (figures.get(name + end, value) for end in ("_low", "_high"))
    return Dot(name=shown, value=value, low=low, high=high)


def _gallery(figures: Figures, showcase: Showcase) -> str:
    measured = _count(figures, "planted") > 0
    picked = showcase.picked()
    cards, size = [], 0
    # Images are decoded and encoded outside of Python's lock.
    with ThreadPoolExecutor() as pool:
        for card in pool.map(partial(image_card, measured=measured), picked):
            cards.append(card)
            size += len(card)
            if size > MOST_BYTES:
                break
        pool.shutdown(cancel_futures=True)
    picked = picked[: len(cards)]
    captions = [caption for shown in picked for caption in shown.captions]
    endings = {caption.final_decision for caption in captions}
    kinds = {flaw.kind for caption in captions for flaw in caption.flaws}
    choices = {
        "verdict": [str(end) for end in WORST_FIRST if end in endings],
        "error": [str(kind) for kind in ErrorKind if kind in kinds],
        "planted": ["caught", "missed", "false alarm"] if measured else [],
        "level": [WHOLE, CROP],
        "question": sorted({sample.kind for shown in picked for sample in shown.samples}),
    }
    note = " Rejected captions first, then repaired ones." if len(endings) > 1 else ""
    if len(cards) < showcase.seen:
        note += (
            f" This page shows {len(cards)} of {showcase.seen:,} images, something of every "
            "verdict and error; <code>images.jsonl</code> holds all."
        )
    return (
        f"{filters(choices)}"
        f'<p class="soft"><span id="count" data-of="images"></span>.{note}</p>'
        f'<p class="soft">{LEGEND} &nbsp; {HINT}</p>'
        f'<div class="gallery sheets">{"".join(cards)}</div>'
    )
